"""Mean absolute error and root mean squared error."""

import torch
from torchmetrics import Metric


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
