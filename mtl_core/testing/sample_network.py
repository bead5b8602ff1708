"""A small input layer and a small backbone, for architectures to be built of."""

import torch
from torch import nn

from mtl_core.model.features import Features, FeatureShape


class SampleInput(nn.Module):
    """An input layer whose inputs are features already; it turns them.

    Args:
        shape: Of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """One linear layer over every token."""
        return Features(self.layer(features.values), features.mask)


class SampleBackbone(nn.Module):
    """A layer over every token that also sees the mean of all: it gives what it reads, so it can be stacked.

    Args:
        shape: Of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(2 * shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """Tokens beside the mean of their example."""
        mean = features.pooled()
        if features.mask is not None:
            mean = mean.unsqueeze(1).expand_as(features.values)
        return Features(torch.tanh(self.layer(torch.cat([features.values, mean], dim=-1))), features.mask)
