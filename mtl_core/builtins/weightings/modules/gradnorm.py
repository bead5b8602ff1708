"""Gradient normalisation (GradNorm)."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weightings.modules.scalar_adam import ScalarAdam
from mtl_core.builtins.weightings.modules.task_weights import MIN_LOSS, DeclaredWeights, clamp_losses
from mtl_core.training.losses import TaskLosses
from mtl_core.training.task_gradients import TaskGradients

MIN_FACTOR = 1e-4
"""Lower bound of factors: one of 0 would disable its task, a negative one would invert its gradient."""


class GradNormWeighting(DeclaredWeights):
    """Weighting that adjusts the norm of each task's gradient to its relative training rate.

    Args:
        weights: Each task's declared weight.
        alpha: How strongly slower tasks are favoured.
        lr: Learning rate of the factors.
    """

    factors: torch.Tensor
    first: torch.Tensor

    def __init__(self, weights: Sequence[float], alpha: float, lr: float) -> None:
        super().__init__(weights)
        self.alpha = alpha
        self.adam = ScalarAdam(len(weights), lr)
        self.register_buffer("factors", torch.ones(len(weights)))
        self.register_buffer("first", torch.full((len(weights),), torch.nan))

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        return (losses.values * (self.weights * self.factors)[losses.tasks]).sum()

    def backward(self, losses: TaskLosses, extra_loss: torch.Tensor | None, gradients: TaskGradients) -> None:
        """Measure the gradient norms, run the backward pass with the current factors, then update the factors."""
        norms = None
        if len(losses.tasks) > 1:  # a single task has nothing to compare with
            norms = gradients.jacobian(losses.values, gradients.last_shared_layer, losses.tasks).norm(dim=1)
        super().backward(losses, extra_loss, gradients)
        values = clamp_losses(losses.values.detach())
        first = self.first[losses.tasks]
        self.first[losses.tasks] = torch.where(first.isnan(), values, first)
        if norms is not None:
            self._update_factors(values, losses.tasks, norms)

    def _update_factors(self, values: torch.Tensor, tasks: torch.Tensor, norms: torch.Tensor) -> None:
        factors = self.factors[tasks]
        loss_ratios = values / self.first[tasks]
        weighted_norms = factors * norms
        # Targets are constants: the gradient of |size - target| is the gradient of the size times the sign.
        targets = weighted_norms.mean() * (loss_ratios / loss_ratios.mean().clamp_min(MIN_LOSS)) ** self.alpha
        self.adam.step(self.factors, tasks, torch.sign(weighted_norms - targets) * norms)
        updated_factors = self.factors[tasks].clamp_min(MIN_FACTOR)
        # The sum over the tasks of the batch is unchanged, and so is the sum over all tasks: their number.
        self.factors[tasks] = updated_factors * (factors.sum() / updated_factors.sum())
