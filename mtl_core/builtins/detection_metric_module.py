"""Counts of TP, FP and FN of detection, and a torchmetrics metric computed from them."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric


def detection_sums(outputs: torch.Tensor, targets: torch.Tensor, nothing: int) -> torch.Tensor:
    """Return TP, FP and FN of detection `(n, 3)`, float64, from outputs `(n, classes)` and codes `(n,)`."""
    said, there = outputs.argmax(dim=-1) != nothing, targets != nothing
    return torch.stack([said & there, said & ~there, ~said & there], dim=1).double()


def joint_sums(outputs: torch.Tensor, targets: torch.Tensor, nothing: int) -> torch.Tensor:
    """Return TP, FP and FN of detection and class together, `(n, 3)`: a wrong class is an FP and an FN."""
    said = outputs.argmax(dim=-1)
    right, there = said == targets, targets != nothing
    return torch.stack([right & there, (said != nothing) & ~right, there & ~right], dim=1).double()


class SumsFigure(Metric):
    """A metric computed from counts of TP, FP and FN.

    Args:
        count: Function from outputs `(n, classes)` and codes `(n,)` to each label's counts, `(n, 3)`.
        figure: Function from the summed counts `(3,)` to the metric.
    """

    full_state_update = False
    sums: torch.Tensor

    def __init__(
        self,
        count: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        figure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        super().__init__()
        self.count = count
        self.figure = figure
        self.add_state("sums", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add outputs `(n, classes)` and codes `(n,)`."""
        self.sums += self.count(outputs, targets).sum(dim=0)

    def compute(self) -> torch.Tensor:
        """Return the metric; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return torch.as_tensor(self.figure(self.sums.cpu().numpy()))
