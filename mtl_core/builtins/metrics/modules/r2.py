"""The coefficient of determination (R²)."""

from collections.abc import Sequence

import torch
from torchmetrics import Metric


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
