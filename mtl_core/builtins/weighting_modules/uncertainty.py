"""Learned uncertainty."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.builtins.weighting_modules.common import DeclaredWeights, floored
from mtl_core.training.losses import TaskLosses


class LearnedUncertainty(DeclaredWeights):
    """Divides losses by variances that it learns.

    Args:
        weights: Each task's declared weight.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(weights)
        # One parameter a task: a row of a common one would be moved by momentum while its task has no label.
        self.log_variances = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in weights])

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """The scalar."""
        logs = torch.stack([self.log_variances[task] for task in losses.tasks.tolist()])
        # Lifted, since a loss of exactly 0 would drive its weight to infinity.
        terms = torch.exp(-logs) * floored(losses.values) + logs
        return (self.weights[losses.tasks] * terms).sum()
