"""Means of what is not always there, kept while training goes on."""

import torch
from torch import nn


class RunningMeans(nn.Module):
    """Mean and standard error of each entry of a tensor, over the steps in which it was there.

    What is kept are buffers, so that a checkpoint holds them.

    Args:
        shape: The tensor's.
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
        """Take a step's values in; NaN is nothing."""
        there = ~torch.isnan(values)
        values = torch.where(there, values.double(), 0.0)
        self.total += values
        self.squares += values.square()
        self.count += there

    def mean(self) -> torch.Tensor:
        """The means, float64; NaN where there was nothing."""
        return self.total / self.count

    def error(self) -> torch.Tensor:
        """The standard errors of the means, as if steps were independent; NaN where there was less than two."""
        variance = (self.squares - self.total.square() / self.count).clamp(min=0) / (self.count - 1)
        return torch.where(self.count > 1, (variance / self.count).sqrt(), torch.nan)

    def clear(self) -> None:
        """Begin anew."""
        for buffer in self.buffers():
            buffer.zero_()


class HalvedMeans(nn.Module):
    """Means over every second step, and over the others: what is chosen by one half can be checked on the other.

    Args:
        shape: The tensor's.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.choosing = RunningMeans(*shape)
        self.checking = RunningMeans(*shape)

    def add(self, values: torch.Tensor, step: int) -> None:
        """Take in the values of a step, counted from 0; NaN is nothing."""
        (self.checking if step % 2 else self.choosing).add(values)

    def whole(self) -> RunningMeans:
        """The means over all steps."""
        both = RunningMeans(*self.choosing.total.shape)
        for half in (self.choosing, self.checking):
            both.total += half.total
            both.squares += half.squares
            both.count += half.count
        return both
