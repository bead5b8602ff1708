"""The module of the head on the maximum over positions."""

import torch
from torch import nn

from mtl_core import Features, FeatureShape


class MaxPoolLayer(nn.Module):
    """Dropout and one linear layer on the maximum of each feature over the positions.

    Args:
        inputs: Shape of the input features, which must be spatial.
        outputs: Number of outputs.
        dropout: Dropout probability of the maxima.
    """

    def __init__(self, inputs: FeatureShape, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs.width, outputs))

    def forward(self, features: Features) -> torch.Tensor:
        """Return outputs `(batch, outputs)`, from `(batch, channels, height, width)`."""
        outputs: torch.Tensor = self.layers(features.values.amax(dim=(2, 3)))
        return outputs
