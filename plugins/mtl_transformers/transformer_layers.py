"""The module of the backbone `transformer`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape, MtlError
from mtl_transformers.lora_adapters import add_adapters
from mtl_transformers.lora_config import Lora
from mtl_transformers.subword_layer import SubwordShape


class TransformerLayers(nn.Module):
    """A transformer that reads rows of its word embedding table. It adds special tokens, and removes their states.

    Args:
        inputs: The output shape of the encoder `transformer`.
        trainable_layers: Number of last layers to train; None for the whole model.
        lora: Adapters to train instead of the model's weights.
        dropout: Dropout probability of all dropout layers; None for the values of the model's config.
        first_token_only: Whether to return only the state of the first token.

    Raises:
        MtlError: If the encoder is another one, or the model lacks a layer.
    """

    def __init__(
        self,
        inputs: FeatureShape,
        trainable_layers: int | None,
        lora: Lora | None,
        dropout: float | None,
        first_token_only: bool,
    ) -> None:
        super().__init__()
        if not isinstance(inputs, SubwordShape):
            raise MtlError(
                "the backbone 'transformer' needs the word embeddings of the encoder 'transformer'; "
                "use `encoder: {type: transformer}`, or another backbone"
            )
        if first_token_only and not len(inputs.prefix):
            raise MtlError("backbone.output: `first` needs a model with a special token ([CLS]) before the text")
        overrides = {} if dropout is None else _override_dropout(inputs.model.config, dropout)
        self.model = remove_unused_modules(inputs.model.build(overrides))
        self.prefix, self.suffix = nn.Parameter(inputs.prefix.clone()), nn.Parameter(inputs.suffix.clone())
        self.frozen_modules = _freeze_parameters(self, trainable_layers, lora)
        self.first_token_only = first_token_only
        width = int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.output = FeatureShape(width, sequence=not first_token_only)

    def train(self, mode: bool = True) -> TransformerLayers:
        """Set training or evaluation mode; frozen layers remain in evaluation mode, without dropout."""
        super().train(mode)
        for module in self.frozen_modules:
            module.train(False)
        return self

    def forward(self, features: Features) -> Features:
        """Map `(batch, length, table width)` to `(batch, length, width)`, or to `(batch, width)` with `first`."""
        mask = features.mask
        assert mask is not None  # noqa: S101  subwords have a mask
        values, attention_mask = self._add_special_tokens(features.values, mask)
        has_no_padding = bool(attention_mask.all())  # attention is faster without a mask
        states = self.model(inputs_embeds=values, attention_mask=None if has_no_padding else attention_mask.long())[0]
        if self.first_token_only:
            return Features(states[:, 0])
        token_states = states[:, len(self.prefix) :][:, : mask.shape[1]]
        if token_states.shape[1] < mask.shape[1]:  # superfluous padding was removed
            token_states = F.pad(token_states, (0, 0, 0, mask.shape[1] - token_states.shape[1]))
        return Features(token_states, mask)

    def _add_special_tokens(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the special tokens to each text; return values `(batch, new length, width)` and their mask."""
        batch, n_prefix, n_suffix = len(values), len(self.prefix), len(self.suffix)
        stop_indices = n_prefix + mask.sum(dim=1, keepdim=True)  # (batch, 1)
        longest = int(stop_indices.max()) + n_suffix
        prefix = self.prefix.to(values.dtype).expand(batch, -1, -1)
        padding = values.new_zeros(batch, max(0, longest - n_prefix - values.shape[1]), values.shape[2])
        extended_values = torch.cat([prefix, values, padding], dim=1)[:, :longest]
        positions = torch.arange(longest, device=values.device)
        for offset in range(n_suffix):
            extended_values = torch.where(
                (positions == stop_indices + offset).unsqueeze(-1),
                self.suffix[offset].to(values.dtype),
                extended_values,
            )
        attention_mask = positions < stop_indices + n_suffix
        return extended_values.masked_fill(~attention_mask.unsqueeze(-1), 0.0), attention_mask


class _RemovedEmbedding(nn.Module):
    """Placeholder for the word embedding table, which is in the input layer."""

    weight: None = None


def remove_unused_modules(model: nn.Module) -> nn.Module:
    """Remove unused modules: the word embedding table and the pooler."""
    model.set_input_embeddings(_RemovedEmbedding())  # type: ignore[operator]
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # type: ignore[assignment]
    return model


def _override_dropout(config: dict[str, Any], rate: float) -> dict[str, Any]:
    """Return the dropout values of a config, set to `rate`."""
    overrides = {
        name: rate
        for name, value in config.items()
        if isinstance(value, int | float)
        and name.endswith(("dropout", "dropout_prob"))
        and not name.startswith(("classif", "cls"))
    }
    if not overrides:
        raise MtlError(f"backbone.dropout: the config of model type '{config['model_type']}' has no dropout values")
    return overrides


def _freeze_parameters(backbone: TransformerLayers, trainable_layers: int | None, lora: Lora | None) -> list[nn.Module]:
    """Freeze the parameters that are not trained; return the modules that remain in evaluation mode."""
    model = backbone.model
    if trainable_layers is None and lora is None:
        return []
    backbone.requires_grad_(False)
    if lora is not None:
        add_adapters(model, lora)
        if trainable_layers is None:
            return []
    model_layers = _find_layers(model)
    assert trainable_layers is not None  # noqa: S101  checked above
    if trainable_layers > len(model_layers):
        raise MtlError(f"backbone.trainable_layers: {trainable_layers}, but the model has {len(model_layers)} layers")
    trained_layers = list(model_layers)[len(model_layers) - trainable_layers :]
    if lora is None:
        for layer in trained_layers:
            layer.requires_grad_(True)
    else:
        for layer in list(model_layers)[: len(model_layers) - trainable_layers]:
            layer.requires_grad_(False)
    trained_modules = {module for layer in trained_layers for module in layer.modules()}
    return [module for module in model.modules() if trained_modules.isdisjoint(module.modules())]


def _find_layers(model: nn.Module) -> nn.ModuleList:
    """Return the layers of the model."""
    config: Any = model.config
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == getattr(config, "num_hidden_layers", None):
            return module
    raise MtlError(
        f"backbone.trainable_layers: a model of type '{config.model_type}' has no list of layers; "
        "remove `trainable_layers`"
    )
