"""Concatenation of pooled features."""

from collections.abc import Mapping

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class ConcatenateFusion(nn.Module):
    """Concatenation of one vector per column.

    Args:
        inputs: Column to the shape of its features.
    """

    def __init__(self, inputs: Mapping[str, FeatureShape]) -> None:
        super().__init__()
        self.output = FeatureShape(sum(shape.width for shape in inputs.values()))

    def forward(self, columns: Mapping[str, Features]) -> Features:
        """Return the concatenated vectors, `(batch, sum of widths)`."""
        return Features(torch.cat([features.mean_pool() for features in columns.values()], dim=1))
