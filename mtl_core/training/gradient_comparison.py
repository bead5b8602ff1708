"""Comparisons of the gradients of tasks in one step: dot products, and the effect of a step along one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.gradients import StepGradients
from mtl_core.training.gram_matrix import compute_gram_matrix
from mtl_core.training.losses import TaskLosses
from mtl_core.training.virtual_step import VirtualStep


@dataclass(frozen=True)
class ComparedGradients:
    """The comparison of the gradients of the tasks with a label in a batch.

    Attributes:
        gram: `(active, active)`, float64, on the CPU: the dot products of the gradients; NaN if undefined.
        affinity: `(active, active)`, float64, on the CPU: the share by which a step along the gradient of the row's
            task lowers the loss of the column's task; NaN if it is undefined or was not measured.
    """

    gram: torch.Tensor
    affinity: torch.Tensor


class GradientComparison(Protocol):
    """Compares the gradients of tasks in a step, without changing anything."""

    def attach(self, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
        """Prepare for the steps of a network.

        Args:
            network: The network.
            group_sizes: The number of tasks per head group.
        """

    def compare(
        self,
        losses: TaskLosses,
        gradients: StepGradients,
        recompute_losses: Callable[[], TaskLosses],
        lr: float,
        step: int,
    ) -> ComparedGradients:
        """Compare the gradients of a batch; the autograd graph of the losses remains usable.

        Args:
            losses: The losses of all tasks with a label in the batch.
            gradients: Computes gradients of the batch.
            recompute_losses: Recomputes the losses of the batch under otherwise equal conditions.
            lr: The learning rate of the step.
            step: The number of steps that were compared before.
        """


class ParameterComparison:
    """Compares gradients with respect to the shared parameters.

    Affinity is that of Fifty et al. (2021): `1 - loss of j after / loss of j before` an SGD step of the shared
    parameters along the gradient of task i.

    Args:
        computes_affinity: Whether to compute affinities: one forward pass per task.
    """

    def __init__(self, computes_affinity: bool) -> None:
        self._computes_affinity = computes_affinity

    def attach(self, network: MultiTaskNetwork, group_sizes: Sequence[int]) -> None:
        """Do nothing: the gradients of a step are those of its network."""

    def compare(
        self,
        losses: TaskLosses,
        gradients: StepGradients,
        recompute_losses: Callable[[], TaskLosses],
        lr: float,
        step: int,
    ) -> ComparedGradients:
        """Run one backward pass, and for affinities one forward pass, per task with a label."""
        count = len(losses.values)
        losses_after = torch.full((count, count), torch.nan, dtype=torch.float64)
        computes_affinity = self._computes_affinity and lr > 0
        virtual_step = VirtualStep(gradients.shared, lr, recompute_losses) if computes_affinity else None

        def visit(index: int, gradient: torch.Tensor) -> None:
            step_losses = virtual_step.compute_losses_after_step(gradient) if virtual_step is not None else None
            if step_losses is not None:
                losses_after[index] = step_losses.cpu().double()

        gram = compute_gram_matrix(losses.values, gradients, visit).cpu().double()
        losses_before = losses.values.detach().cpu().double()
        # Matrix products are not exactly symmetric.
        return ComparedGradients((gram + gram.T) / 2, 1 - losses_after / losses_before)
