"""Accuracy by restricted arg-max, as a torchmetrics metric."""

from collections.abc import Sequence

import torch
from torchmetrics import Metric

from mtl_core.builtins.metrics.label_sums import restricted_argmax


class RestrictedArgmaxAccuracy(Metric):
    """Fraction of targets that equal the allowed class with the highest score.

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
        """Add outputs `(n, classes)` and targets `(n,)`, all of allowed classes."""
        self.correct += (restricted_argmax(outputs, self.allowed) == targets).sum()
        self.total += targets.numel()

    def compute(self) -> torch.Tensor:
        """Return the accuracy."""
        return self.correct / self.total
