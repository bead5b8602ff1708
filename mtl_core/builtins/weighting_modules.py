"""The modules behind the built-in weightings."""

from collections.abc import Sequence

import torch

from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


class StaticSum(Weighting):
    """Weighted sum over the active tasks."""

    weights: torch.Tensor

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """The scalar."""
        return (losses.values * self.weights[losses.tasks]).sum()


class LabelMean(StaticSum):
    """Weighted mean over the labels of the batch."""

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """The scalar."""
        counts = losses.counts[losses.tasks].to(losses.values.dtype)
        return (losses.values * counts * self.weights[losses.tasks]).sum() / counts.sum()
