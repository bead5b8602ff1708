"""Input layer of numbers, some of which are missing, and their standardisation."""

import math

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class MaskedValues(nn.Module):
    """Input layer of numbers: missing rows get learned values, and a further feature that is 1.

    Args:
        width: Numbers per row.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(width))
        self.output = FeatureShape(width + 1)

    def forward(self, values: torch.Tensor) -> Features:
        """Return features `(batch, width + 1)` of values `(batch, width)`, in which missing rows are NaN."""
        is_missing = values.isnan().any(dim=1, keepdim=True)
        return Features(torch.cat([torch.where(is_missing, self.missing, values), is_missing.to(values.dtype)], dim=1))


class CompleteValues(nn.Module):
    """Input layer of numbers of which none is missing in the training data; a missing row gets the value 0, the mean.

    Args:
        width: Numbers per row.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = FeatureShape(width)

    def forward(self, values: torch.Tensor) -> Features:
        """Return features `(batch, width)` of values `(batch, width)`, in which missing rows are NaN."""
        return Features(values if self.training else values.nan_to_num(0.0))


def build_values_layer(width: int, has_missing: bool) -> nn.Module:
    """Build the input layer of numbers.

    Args:
        width: Numbers per row.
        has_missing: Whether a row of the training data is missing.
    """
    return MaskedValues(width) if has_missing else CompleteValues(width)


class RunningMoments:
    """Mean and standard deviation of a stream of numbers (Welford, 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0
        self._is_constant = True
        self._first = 0.0

    def update(self, number: float) -> None:
        """Add a number."""
        if not self.count:
            self._first = number
        self._is_constant = self._is_constant and number == self._first
        self.count += 1
        difference = number - self.mean
        self.mean += difference / self.count
        self._squares += difference * (number - self.mean)

    @property
    def scale(self) -> float:
        """The standard deviation of all numbers; 1 if they are equal."""
        return 1.0 if self._is_constant else math.sqrt(self._squares / self.count) or 1.0
