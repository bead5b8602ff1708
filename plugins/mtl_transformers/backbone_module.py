"""The module of the backbone `transformer`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape, MtlError
from mtl_transformers.backbone import Lora
from mtl_transformers.model_shape import PieceShape


class TransformerLayers(nn.Module):
    """A transformer that reads rows of its word embedding table. It adds special tokens, and removes their states.

    Args:
        inputs: The output shape of the encoder `transformer`.
        layers: Number of last layers to train; None for the whole model.
        lora: Adapters to train instead of the model's weights.
        dropout: Dropout probability of all dropout layers; None for the values of the model's config.
        first: Whether to return only the state of the first token.

    Raises:
        MtlError: If the encoder is another one, or the model lacks a layer.
    """

    def __init__(
        self, inputs: FeatureShape, layers: int | None, lora: Lora | None, dropout: float | None, first: bool
    ) -> None:
        super().__init__()
        if not isinstance(inputs, PieceShape):
            raise MtlError(
                "the backbone 'transformer' needs the word embeddings of the encoder 'transformer'; "
                "use `encoder: {type: transformer}`, or another backbone"
            )
        if first and not len(inputs.before):
            raise MtlError("backbone.output: `first` needs a model with a special token ([CLS]) before the text")
        changes = {} if dropout is None else _dropout(inputs.model.config, dropout)
        self.model = without_table(inputs.model.build(changes))
        self.before, self.after = nn.Parameter(inputs.before.clone()), nn.Parameter(inputs.after.clone())
        self.frozen = _freeze(self, layers, lora)
        self.first = first
        width = int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.output = FeatureShape(width, sequence=not first)

    def train(self, mode: bool = True) -> TransformerLayers:
        """Set training or evaluation mode; frozen layers remain in evaluation mode, without dropout."""
        super().train(mode)
        for module in self.frozen:
            module.train(False)
        return self

    def forward(self, features: Features) -> Features:
        """Map `(batch, length, table width)` to `(batch, length, width)`, or to `(batch, width)` with `first`."""
        mask = features.mask
        assert mask is not None  # noqa: S101  subwords have a mask
        values, full = self._marked(features.values, mask)
        whole = bool(full.all())  # attention is faster without a mask
        states = self.model(inputs_embeds=values, attention_mask=None if whole else full.long())[0]
        if self.first:
            return Features(states[:, 0])
        own = states[:, len(self.before) :][:, : mask.shape[1]]
        if own.shape[1] < mask.shape[1]:  # superfluous padding was removed
            own = F.pad(own, (0, 0, 0, mask.shape[1] - own.shape[1]))
        return Features(own, mask)

    def _marked(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the special tokens to each text; return values `(batch, new length, width)` and their mask."""
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
    """Placeholder for the word embedding table, which is in the input layer."""

    weight: None = None


def without_table(model: nn.Module) -> nn.Module:
    """Remove unused modules: the word embedding table and the pooler."""
    model.set_input_embeddings(_InTheEncoder())  # type: ignore[operator]
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # type: ignore[assignment]
    return model


def _dropout(config: dict[str, Any], rate: float) -> dict[str, Any]:
    """Return the dropout values of a config, set to `rate`."""
    changes = {
        name: rate
        for name, value in config.items()
        if isinstance(value, int | float)
        and name.endswith(("dropout", "dropout_prob"))
        and not name.startswith(("classif", "cls"))
    }
    if not changes:
        raise MtlError(f"backbone.dropout: the config of model type '{config['model_type']}' has no dropout values")
    return changes


def _freeze(backbone: TransformerLayers, layers: int | None, lora: Lora | None) -> list[nn.Module]:
    """Freeze the parameters that are not trained; return the modules that remain in evaluation mode."""
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
    assert layers is not None  # noqa: S101  checked above
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
    """Return the layers of the model."""
    count = getattr(model.config, "num_hidden_layers", None)
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise MtlError(
        f"backbone.layers: a model of type '{model.config.model_type}' has no list of layers; "  # type: ignore[union-attr]
        "remove `layers`"
    )
