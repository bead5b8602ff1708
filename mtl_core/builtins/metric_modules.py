"""Metrics that torchmetrics does not have in the form that is needed here."""

from collections.abc import Sequence

import torch
from torchmetrics import Metric
from torchmetrics.classification import BinaryF1Score


class MeanRankDistance(Metric):
    """Mean absolute difference between the code of the best output and the target's."""

    full_state_update = False
    distance: torch.Tensor
    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("distance", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Take outputs `(n, classes)` and targets `(n,)` in."""
        self.distance += (outputs.argmax(dim=-1) - targets).abs().sum()
        self.total += len(targets)

    def compute(self) -> torch.Tensor:
        """The mean."""
        return self.distance / self.total


class IndicatorF1(BinaryF1Score):
    """F1 of indicators, undefined (NaN) where nothing is there and nothing was predicted."""

    def compute(self) -> torch.Tensor:
        """The figure."""
        value: torch.Tensor = super().compute()
        found = sum(int(torch.as_tensor(state)) for state in (self.tp, self.fp, self.fn))
        return value if found else torch.tensor(float("nan"))


class MeanError(Metric):
    """Mean absolute error, or root of the mean squared one, over all numbers that are there; in 64 bits.

    Args:
        squared: Which of the two.
    """

    full_state_update = False
    total: torch.Tensor
    numbers: torch.Tensor

    def __init__(self, squared: bool) -> None:
        super().__init__()
        self.squared = squared
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("numbers", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Take outputs and targets of one shape in; NaN is a missing target."""
        present = ~targets.isnan()
        differences = outputs[present].double() - targets[present].double()
        self.total += (differences.square() if self.squared else differences.abs()).sum()
        self.numbers += present.sum()

    def compute(self) -> torch.Tensor:
        """The mean, or its root."""
        mean = self.total / self.numbers
        return mean.sqrt() if self.squared else mean


class ExplainedShare(Metric):
    """R², the mean over outputs: pooled, what outputs of different size differ by would count as explained.

    An output with fewer than two labels, or with equal ones, does not count; NaN if none is left.

    Args:
        mean: `(outputs,)`: about where each output's labels lie; sums are taken from there, which keeps them exact.
    """

    full_state_update = False
    mean: torch.Tensor
    count: torch.Tensor
    sum: torch.Tensor
    squares: torch.Tensor
    missed: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, mean: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64), persistent=False)
        zeros = torch.zeros(len(mean), dtype=torch.float64)
        for name in ("count", "sum", "squares", "missed"):
            self.add_state(name, zeros.clone(), dist_reduce_fx="sum")
        self.add_state("low", zeros + torch.inf, dist_reduce_fx="min")
        self.add_state("high", zeros - torch.inf, dist_reduce_fx="max")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Take outputs and targets in, `(n,)` or `(n, outputs)`; NaN is a missing target."""
        wanted = targets.reshape(len(targets), -1).double() - self.mean
        said = outputs.reshape(len(outputs), -1).double() - self.mean
        present = ~wanted.isnan()
        self.count += present.sum(dim=0)
        self.sum += wanted.masked_fill(~present, 0).sum(dim=0)
        self.squares += wanted.masked_fill(~present, 0).square().sum(dim=0)
        self.missed += (said - wanted).masked_fill(~present, 0).square().sum(dim=0)
        self.low = torch.minimum(self.low, wanted.masked_fill(~present, torch.inf).amin(dim=0))
        self.high = torch.maximum(self.high, wanted.masked_fill(~present, -torch.inf).amax(dim=0))

    def compute(self) -> torch.Tensor:
        """The mean share."""
        vary = self.high > self.low
        variance = self.squares - self.sum.square() / self.count
        return (1 - self.missed[vary] / variance[vary]).mean()
