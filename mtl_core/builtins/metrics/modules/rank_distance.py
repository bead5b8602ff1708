"""The mean distance on an ordinal scale."""

import torch
from torchmetrics import Metric


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
