"""A mean over labels, from a score and a count per label."""

from collections.abc import Callable

import torch
from torchmetrics import Metric


class MeanOfSums(Metric):
    """The sum of scores divided by the sum of counts, in float64.

    Args:
        compute_label_sums: Function from outputs and targets to scores and counts, `(n, 2)`.
    """

    full_state_update = False
    sums: torch.Tensor

    def __init__(self, compute_label_sums: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.compute_label_sums = compute_label_sums
        self.add_state("sums", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add outputs and targets."""
        self.sums += self.compute_label_sums(outputs, targets).sum(dim=0).to(self.sums.device)

    def compute(self) -> torch.Tensor:
        """Return the mean; NaN without labels."""
        return self.sums[0] / self.sums[1]
