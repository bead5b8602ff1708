"""A small input layer and a small backbone for the checks of architectures."""

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class SampleInputLayer(nn.Module):
    """An input layer whose inputs are features: applies one linear layer.

    Args:
        shape: Shape of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """Return features of the same shape."""
        return Features(self.layer(features.values), features.mask)


class SampleBackbone(nn.Module):
    """A layer over each token and the mean of all tokens; input and output have the same shape.

    Args:
        shape: Shape of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(2 * shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """Return features of the same shape."""
        mean = features.mean_pool()
        if features.mask is not None:
            mean = mean.unsqueeze(1).expand_as(features.values)
        return Features(torch.tanh(self.layer(torch.cat([features.values, mean], dim=-1))), features.mask)
