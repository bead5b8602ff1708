"""Smooth Tchebycheff scalarisation."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weightings.modules.task_weights import DeclaredWeights
from mtl_core.training.losses import TaskLosses


class SmoothMaximum(DeclaredWeights):
    """Smooth maximum of the weighted differences between losses and an ideal point.

    Args:
        weights: Each task's declared weight.
        ideal: Each task's ideal loss.
        mu: Smoothness.
    """

    ideal: torch.Tensor

    def __init__(self, weights: Sequence[float], ideal: Sequence[float], mu: float) -> None:
        super().__init__(weights)
        self.register_buffer("ideal", torch.tensor(ideal), persistent=False)
        self.mu = mu

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        above = self.weights[losses.tasks] * (losses.values - self.ideal[losses.tasks])
        return self.mu * torch.logsumexp(above / self.mu, dim=0)
