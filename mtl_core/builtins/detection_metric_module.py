"""Hits, false alarms and misses of there being something, as a torchmetrics metric."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric


def detection_sums(outputs: torch.Tensor, targets: torch.Tensor, nothing: int) -> torch.Tensor:
    """From outputs `(n, classes)` and codes `(n,)` to hits, false alarms and misses `(n, 3)`, float64."""
    said, there = outputs.argmax(dim=-1) != nothing, targets != nothing
    return torch.stack([said & there, said & ~there, ~said & there], dim=1).double()


def joint_sums(outputs: torch.Tensor, targets: torch.Tensor, nothing: int) -> torch.Tensor:
    """The same of things found with their class: a wrong class is a false alarm and a miss."""
    said = outputs.argmax(dim=-1)
    right, there = said == targets, targets != nothing
    return torch.stack([right & there, (said != nothing) & ~right, there & ~right], dim=1).double()


class SumsFigure(Metric):
    """A figure of hits, false alarms and misses.

    Args:
        count: From outputs `(n, classes)` and codes `(n,)` to what each label adds to them, `(n, 3)`.
        figure: From their sums `(3,)` to the figure.
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
        """Take outputs `(n, classes)` and codes `(n,)` in."""
        self.sums += self.count(outputs, targets).sum(dim=0)

    def compute(self) -> torch.Tensor:
        """The figure; NaN where it is undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return torch.as_tensor(self.figure(self.sums.cpu().numpy()))
