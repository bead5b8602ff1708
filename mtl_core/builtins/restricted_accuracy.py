"""Accuracy by restricted arg-max, as a torchmetrics metric."""

from collections.abc import Sequence

import torch
from torchmetrics import Metric


class RestrictedArgmaxAccuracy(Metric):
    """Share of targets that equal the best of the allowed classes.

    Args:
        allowed: Codes of the allowed classes.
    """

    full_state_update = False
    correct: torch.Tensor
    total: torch.Tensor

    def __init__(self, allowed: Sequence[int]) -> None:
        super().__init__()
        self.allowed = list(allowed)
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Count, over outputs `(n, classes)` and targets `(n,)` of allowed classes."""
        allowed = torch.tensor(self.allowed, device=outputs.device)
        best = allowed[outputs[:, allowed].argmax(dim=1)]
        self.correct += (best == targets).sum()
        self.total += targets.numel()

    def compute(self) -> torch.Tensor:
        """The share."""
        return self.correct / self.total
