"""Running means of values that are missing in some steps."""

import torch
from torch import nn


class RunningMeans(nn.Module):
    """Mean and standard error of each element of a tensor, over the steps in which it is not NaN.

    The sums are buffers and therefore part of checkpoints.

    Args:
        shape: The shape of the tensor.
    """

    total: torch.Tensor
    squares: torch.Tensor
    count: torch.Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(shape, dtype=torch.int64))

    def add(self, values: torch.Tensor) -> None:
        """Add the values of a step; NaN is ignored."""
        is_present = ~torch.isnan(values)
        values = torch.where(is_present, values.double(), 0.0)
        self.total += values
        self.squares += values.square()
        self.count += is_present

    def mean(self) -> torch.Tensor:
        """Return the means, float64; NaN for elements without values."""
        return self.total / self.count

    def standard_error(self) -> torch.Tensor:
        """Return the standard errors of the means for independent steps, float64; NaN for less than two values."""
        variance = (self.squares - self.total.square() / self.count).clamp(min=0) / (self.count - 1)
        return torch.where(self.count > 1, (variance / self.count).sqrt(), torch.nan)

    def reset(self) -> None:
        """Reset all sums to 0."""
        for buffer in self.buffers():
            buffer.zero_()


class SplitHalfMeans(nn.Module):
    """Separate means over even and odd steps, so that a choice made on one half can be validated on the other.

    Args:
        shape: The shape of the tensor.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.selection = RunningMeans(*shape)
        self.validation = RunningMeans(*shape)

    def add(self, values: torch.Tensor, step: int) -> None:
        """Add the values of a step, counted from 0; NaN is ignored."""
        (self.validation if step % 2 else self.selection).add(values)

    def combine(self) -> RunningMeans:
        """Return the means over all steps."""
        combined = RunningMeans(*self.selection.total.shape)
        for half in (self.selection, self.validation):
            combined.total += half.total
            combined.squares += half.squares
            combined.count += half.count
        return combined
