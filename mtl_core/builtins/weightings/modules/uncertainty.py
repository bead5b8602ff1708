"""Uncertainty weighting."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.builtins.weightings.modules.task_weights import DeclaredWeights, clamp_losses
from mtl_core.training.losses import TaskLosses


class LearnedUncertainty(DeclaredWeights):
    """Weighting that divides losses by learned variances.

    Args:
        weights: Each task's declared weight.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(weights)
        # One parameter per task: momentum would update a row of a shared parameter while its task has no label.
        self.log_variances = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in weights])

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        logs = torch.stack([self.log_variances[task] for task in losses.tasks.tolist()])
        # Clamped, since a loss of exactly 0 would drive its weight to infinity.
        terms = torch.exp(-logs) * clamp_losses(losses.values) + logs
        return (self.weights[losses.tasks] * terms).sum()
