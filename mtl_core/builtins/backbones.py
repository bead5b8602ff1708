"""Backbones that fit any features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core.specs import BackboneSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.model.features import FeatureShape


class MLP(BackboneSpec):
    """Fully connected layers with ReLU; on sequences, the same layers for every token."""

    type: Literal["mlp"] = "mlp"
    hidden_dims: list[PositiveInt] = Field(default=[128], min_length=1)
    """Width of each layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout after each layer."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Make the layers."""
        from mtl_core.builtins.modules import MLPBackbone

        return MLPBackbone(inputs, self.hidden_dims, self.dropout)


class Identity(BackboneSpec):
    """No backbone: the heads read the input features themselves (a baseline)."""

    type: Literal["identity"] = "identity"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Make a module that passes features on."""
        from mtl_core.builtins.modules import IdentityBackbone

        return IdentityBackbone(inputs)
