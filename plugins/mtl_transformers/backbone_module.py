"""The module behind the transformer backbone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape, MtlError
from mtl_transformers.backbone import Lora
from mtl_transformers.model_shape import PieceShape


class TransformerLayers(nn.Module):
    """A transformer that reads rows of its own word embedding table. It adds its marks, and takes them off again.

    Args:
        inputs: What the encoder `transformer` gives.
        layers: Train the last so many layers; all of the model if None.
        lora: Train adapters instead.
        dropout: Dropout everywhere; the model's own if None.
        first: Give the state of the first mark alone.

    Raises:
        MtlError: If the inputs are not those of a transformer, or the model has no such parts.
    """

    def __init__(
        self, inputs: FeatureShape, layers: int | None, lora: Lora | None, dropout: float | None, first: bool
    ) -> None:
        super().__init__()
        if not isinstance(inputs, PieceShape):
            raise MtlError(
                "the backbone 'transformer' is the rest of a model whose beginning is the encoder 'transformer'; "
                "use `encoder: {type: transformer}`, or another backbone"
            )
        if first and not len(inputs.before):
            raise MtlError("backbone.output: `first` needs a model whose texts begin with a mark, such as [CLS]")
        changes = {} if dropout is None else _dropout(inputs.model.config, dropout)
        self.model = without_table(inputs.model.build(changes))
        self.before, self.after = nn.Parameter(inputs.before.clone()), nn.Parameter(inputs.after.clone())
        self.frozen = _freeze(self, layers, lora)
        self.first = first
        width = int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.output = FeatureShape(width, sequence=not first)

    def train(self, mode: bool = True) -> TransformerLayers:
        """Change the mode; of layers that are not trained, nothing is dropped out either."""
        super().train(mode)
        for module in self.frozen:
            module.train(False)
        return self

    def forward(self, features: Features) -> Features:
        """From `(batch, length, table width)` to `(batch, length, width)`, or `(batch, width)` of first marks."""
        mask = features.mask
        assert mask is not None  # noqa: S101  pieces have a mask
        values, full = self._marked(features.values, mask)
        whole = bool(full.all())  # no mask lets attention be computed faster
        states = self.model(inputs_embeds=values, attention_mask=None if whole else full.long())[0]
        if self.first:
            return Features(states[:, 0])
        own = states[:, len(self.before) :][:, : mask.shape[1]]
        if own.shape[1] < mask.shape[1]:  # padding that no text needs was not read
            own = F.pad(own, (0, 0, 0, mask.shape[1] - own.shape[1]))
        return Features(own, mask)

    def _marked(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put marks around the pieces of each text: values `(batch, longer, width)` and their mask."""
        batch, start, end = len(values), len(self.before), len(self.after)
        stops = start + mask.sum(dim=1, keepdim=True)  # (batch, 1)
        longest = int(stops.max()) + end
        before = self.before.to(values.dtype).expand(batch, -1, -1)
        padding = values.new_zeros(batch, max(0, longest - start - values.shape[1]), values.shape[2])
        marked = torch.cat([before, values, padding], dim=1)[:, :longest]
        place = torch.arange(longest, device=values.device)
        for number in range(end):
            marked = torch.where(
                (place == stops + number).unsqueeze(-1), self.after[number].to(values.dtype), marked
            )
        full = place < stops + end
        return marked.masked_fill(~full.unsqueeze(-1), 0.0), full


class _InTheEncoder(nn.Module):
    """Stands where the word embedding table was, which is the input layer now."""

    weight: None = None


def without_table(model: nn.Module) -> nn.Module:
    """Take off what is not used: the word embedding table, and the pooler."""
    model.set_input_embeddings(_InTheEncoder())  # type: ignore[operator]
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # type: ignore[assignment]
    return model


def _dropout(config: dict[str, Any], rate: float) -> dict[str, Any]:
    """The values of a config that say what is dropped out."""
    changes = {
        name: rate
        for name, value in config.items()
        if isinstance(value, int | float)
        and name.endswith(("dropout", "dropout_prob"))
        and not name.startswith(("classif", "cls"))
    }
    if not changes:
        raise MtlError(f"backbone.dropout: the config of a '{config['model_type']}' says nothing of dropout")
    return changes


def _freeze(backbone: TransformerLayers, layers: int | None, lora: Lora | None) -> list[nn.Module]:
    """Say what is trained. Gives the modules that are to stay as in evaluation."""
    model = backbone.model
    if layers is None and lora is None:
        return []
    backbone.requires_grad_(False)
    if lora is not None:
        from mtl_transformers.lora import add_adapters

        add_adapters(model, lora)
        if layers is None:
            return []
    stack = _stack(model)
    assert layers is not None  # noqa: S101  decided above
    if layers > len(stack):
        raise MtlError(f"backbone.layers: {layers}, but the model has {len(stack)} layers")
    trained = list(stack)[len(stack) - layers :]
    if lora is None:
        for layer in trained:
            layer.requires_grad_(True)
    else:
        for layer in list(stack)[: len(stack) - layers]:
            layer.requires_grad_(False)
    kept = {module for layer in trained for module in layer.modules()}
    return [module for module in model.modules() if kept.isdisjoint(module.modules())]


def _stack(model: nn.Module) -> nn.ModuleList:
    """The model's layers."""
    count = getattr(model.config, "num_hidden_layers", None)
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise MtlError(
        f"backbone.layers: a model of type '{model.config.model_type}' has no layers of its own; "  # type: ignore[union-attr]
        "leave `layers` out"
    )
