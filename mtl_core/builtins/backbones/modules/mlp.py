"""The multi-layer perceptron."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class MLPBackbone(nn.Module):
    """Fully connected layers with ReLU and dropout."""

    def __init__(self, inputs: FeatureShape, hidden_dims: Sequence[int], dropout: float) -> None:
        super().__init__()
        widths = [inputs.width, *hidden_dims]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.output = FeatureShape(widths[-1], inputs.sequence, image_size=inputs.image_size)

    def forward(self, features: Features) -> Features:
        """Apply the layers to the last dimension."""
        return Features(self.layers(features.values), features.mask)
