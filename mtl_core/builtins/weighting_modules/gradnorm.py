"""Gradient normalisation."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weighting_modules.common import FLOOR, DeclaredWeights, RowAdam, floored
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses

LOWEST = 1e-4
"""A factor is not let fall below: one of 0 or less would turn its task off, or round."""


class GradientNorms(DeclaredWeights):
    """Brings the norms of the tasks' gradients to where each task's pace wants them.

    Args:
        weights: Each task's declared weight.
        alpha: How far tasks that are behind are favoured.
        lr: Learning rate of the factors.
    """

    factors: torch.Tensor
    first: torch.Tensor

    def __init__(self, weights: Sequence[float], alpha: float, lr: float) -> None:
        super().__init__(weights)
        self.alpha = alpha
        self.adam = RowAdam(len(weights), lr)
        self.register_buffer("factors", torch.ones(len(weights)))
        self.register_buffer("first", torch.full((len(weights),), torch.nan))

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """The scalar."""
        return (losses.values * (self.weights * self.factors)[losses.tasks]).sum()

    def backward(self, losses: TaskLosses, extra: torch.Tensor | None, gradients: StepGradients) -> None:
        """Measure, pass backward with the factors as they are, then move them."""
        norms = None
        if len(losses.tasks) > 1:  # one task has nobody to be compared with
            norms = gradients.of_each(losses.values, gradients.last_shared, losses.tasks).norm(dim=1)
        super().backward(losses, extra, gradients)
        values = floored(losses.values.detach())
        first = self.first[losses.tasks]
        self.first[losses.tasks] = torch.where(first.isnan(), values, first)
        if norms is not None:
            self._move(values, losses.tasks, norms)

    def _move(self, values: torch.Tensor, tasks: torch.Tensor, norms: torch.Tensor) -> None:
        factors = self.factors[tasks]
        paces = values / self.first[tasks]
        sizes = factors * norms
        # Targets are constants: the slope of |size - target| is that of the size, with its sign.
        targets = sizes.mean() * (paces / paces.mean().clamp_min(FLOOR)) ** self.alpha
        self.adam.step(self.factors, tasks, torch.sign(sizes - targets) * norms)
        moved = self.factors[tasks].clamp_min(LOWEST)
        # The sum over the tasks of the batch stays, and so does that over all tasks: their number.
        self.factors[tasks] = moved * (factors.sum() / moved.sum())
