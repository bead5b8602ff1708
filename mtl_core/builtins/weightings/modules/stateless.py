"""Stateless weightings: sums and means of losses."""

import torch

from mtl_core.builtins.weightings.modules.task_weights import DeclaredWeights, clamp_losses
from mtl_core.training.losses import TaskLosses


class LossSum(DeclaredWeights):
    """Weighted sum over the active tasks."""

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        return (losses.values * self.weights[losses.tasks]).sum()


class LabelMean(DeclaredWeights):
    """Weighted mean over the labels of the batch."""

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        counts = losses.counts[losses.tasks].to(losses.values.dtype)
        return (losses.values * counts * self.weights[losses.tasks]).sum() / counts.sum()


class GeometricMean(DeclaredWeights):
    """Geometric mean over the active tasks, with the task weights as exponents."""

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        exponents = self.weights[losses.tasks]
        return ((clamp_losses(losses.values).log() * exponents).sum() / exponents.sum()).exp()
