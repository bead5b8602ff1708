"""Metrics that torchmetrics does not provide in the required form."""

from collections.abc import Sequence

import torch
from torchmetrics import Metric
from torchmetrics.classification import BinaryF1Score


class MeanRankDistance(Metric):
    """Mean absolute difference between the arg-max of the outputs and the target, as class codes."""

    full_state_update = False
    distance: torch.Tensor
    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("distance", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add outputs `(n, classes)` and targets `(n,)`."""
        self.distance += (outputs.argmax(dim=-1) - targets).abs().sum()
        self.total += len(targets)

    def compute(self) -> torch.Tensor:
        """Return the mean distance."""
        return self.distance / self.total


class IndicatorF1(BinaryF1Score):
    """F1 of indicators; NaN if there are neither true nor predicted labels."""

    def compute(self) -> torch.Tensor:
        """Return F1, or NaN if it is undefined."""
        value: torch.Tensor = super().compute()
        n_positives = sum(int(torch.as_tensor(state)) for state in (self.tp, self.fp, self.fn))
        return value if n_positives else torch.tensor(float("nan"))


class MeanError(Metric):
    """Mean absolute error or root mean squared error over all numbers that are not NaN, in float64.

    Args:
        squared: Whether to compute the root mean squared error.
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
        """Add outputs and targets of equal shape; NaN marks a missing target."""
        present = ~targets.isnan()
        differences = outputs[present].double() - targets[present].double()
        self.total += (differences.square() if self.squared else differences.abs()).sum()
        self.numbers += present.sum()

    def compute(self) -> torch.Tensor:
        """Return the mean, or its square root."""
        mean = self.total / self.numbers
        return mean.sqrt() if self.squared else mean


class R2Score(Metric):
    """R², averaged over outputs. Pooled R² would count differences between outputs as explained variance.

    An output with fewer than two labels, or with equal labels, is left out; NaN if no output remains.

    Args:
        mean: `(outputs,)`: approximate mean of each output's labels; subtracted first, so that sums stay exact.
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
        """Add outputs and targets, `(n,)` or `(n, outputs)`; NaN marks a missing target."""
        centered_targets = targets.reshape(len(targets), -1).double() - self.mean
        centered_outputs = outputs.reshape(len(outputs), -1).double() - self.mean
        present = ~centered_targets.isnan()
        self.count += present.sum(dim=0)
        self.sum += centered_targets.masked_fill(~present, 0).sum(dim=0)
        self.squares += centered_targets.masked_fill(~present, 0).square().sum(dim=0)
        self.missed += (centered_outputs - centered_targets).masked_fill(~present, 0).square().sum(dim=0)
        self.low = torch.minimum(self.low, centered_targets.masked_fill(~present, torch.inf).amin(dim=0))
        self.high = torch.maximum(self.high, centered_targets.masked_fill(~present, -torch.inf).amax(dim=0))

    def compute(self) -> torch.Tensor:
        """Return the mean R² over outputs."""
        has_variance = self.high > self.low
        variance = self.squares - self.sum.square() / self.count
        return (1 - self.missed[has_variance] / variance[has_variance]).mean()
