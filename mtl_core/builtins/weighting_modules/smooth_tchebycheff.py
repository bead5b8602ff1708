"""Smooth Tchebycheff scalarisation."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weighting_modules.common import DeclaredWeights
from mtl_core.training.losses import TaskLosses


class SmoothMaximum(DeclaredWeights):
    """A smooth maximum of weighted losses above an ideal point.

    Args:
        weights: Each task's declared weight.
        ideal: Each task's ideal loss.
        mu: How smooth it is.
    """

    ideal: torch.Tensor

    def __init__(self, weights: Sequence[float], ideal: Sequence[float], mu: float) -> None:
        super().__init__(weights)
        self.register_buffer("ideal", torch.tensor(ideal), persistent=False)
        self.mu = mu

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """The scalar."""
        above = self.weights[losses.tasks] * (losses.values - self.ideal[losses.tasks])
        return self.mu * torch.logsumexp(above / self.mu, dim=0)
