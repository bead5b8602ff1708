"""A torchmetrics metric computed from counts of TP, FP and FN."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric


class CountsMetric(Metric):
    """A metric computed from counts of TP, FP and FN.

    Args:
        compute_counts: Function from outputs `(n, classes)` and codes `(n,)` to each label's counts, `(n, 3)`.
        compute_score: Function from the summed counts `(3,)` to the metric.
    """

    full_state_update = False
    sums: torch.Tensor

    def __init__(
        self,
        compute_counts: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        compute_score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        super().__init__()
        self.compute_counts = compute_counts
        self.compute_score = compute_score
        self.add_state("sums", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add outputs `(n, classes)` and codes `(n,)`."""
        self.sums += self.compute_counts(outputs, targets).sum(dim=0)

    def compute(self) -> torch.Tensor:
        """Return the metric; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return torch.as_tensor(self.compute_score(self.sums.cpu().numpy()))
