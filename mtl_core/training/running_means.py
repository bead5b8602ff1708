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
        there = ~torch.isnan(values)
        values = torch.where(there, values.double(), 0.0)
        self.total += values
        self.squares += values.square()
        self.count += there

    def mean(self) -> torch.Tensor:
        """Return the means, float64; NaN for elements without values."""
        return self.total / self.count

    def error(self) -> torch.Tensor:
        """Return the standard errors of the means for independent steps, float64; NaN for less than two values."""
        variance = (self.squares - self.total.square() / self.count).clamp(min=0) / (self.count - 1)
        return torch.where(self.count > 1, (variance / self.count).sqrt(), torch.nan)

    def clear(self) -> None:
        """Reset all sums to 0."""
        for buffer in self.buffers():
            buffer.zero_()


class HalvedMeans(nn.Module):
    """Separate means over even and odd steps, so that a choice made on one half can be validated on the other.

    Args:
        shape: The shape of the tensor.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.choosing = RunningMeans(*shape)
        self.checking = RunningMeans(*shape)

    def add(self, values: torch.Tensor, step: int) -> None:
        """Add the values of a step, counted from 0; NaN is ignored."""
        (self.checking if step % 2 else self.choosing).add(values)

    def whole(self) -> RunningMeans:
        """Return the means over all steps."""
        both = RunningMeans(*self.choosing.total.shape)
        for half in (self.choosing, self.checking):
            both.total += half.total
            both.squares += half.squares
            both.count += half.count
        return both
