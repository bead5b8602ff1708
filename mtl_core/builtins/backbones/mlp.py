"""The multi-layer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import BackboneSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class MLP(BackboneSpec):
    """Fully connected layers with ReLU; for sequences, the same layers are applied to every token."""

    type: Literal["mlp"] = "mlp"
    hidden_dims: list[PositiveInt] = Field(default=[128], min_length=1)
    """Width of each layer."""
    dropout: Probability = 0.0
    """Dropout after each layer."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from mtl_core.builtins.backbones.modules.mlp import MLPBackbone

        return MLPBackbone(inputs, self.hidden_dims, self.dropout)

    def get_output_layout(self, inputs: Layout) -> Layout:
        """Return the layout of the input."""
        return inputs
