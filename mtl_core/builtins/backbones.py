"""Backbones that accept any features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core.plugins.specs import BackboneSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class MLP(BackboneSpec):
    """Fully connected layers with ReLU; for sequences, the same layers are applied to every token."""

    type: Literal["mlp"] = "mlp"
    hidden_dims: list[PositiveInt] = Field(default=[128], min_length=1)
    """Width of each layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout after each layer."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from mtl_core.builtins.modules import MLPBackbone

        return MLPBackbone(inputs, self.hidden_dims, self.dropout)


class Identity(BackboneSpec):
    """No backbone: the heads read the input features directly (a baseline)."""

    type: Literal["identity"] = "identity"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build a module that returns its input features."""
        from mtl_core.builtins.modules import IdentityBackbone

        return IdentityBackbone(inputs)
