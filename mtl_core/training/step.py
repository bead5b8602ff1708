"""One training step."""

from collections.abc import Callable
from typing import Protocol

import torch

from mtl_core.data.batches import Batch
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.freeze_unlabelled import freeze_unlabelled_tasks
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective
from mtl_core.training.rng_snapshot import RngSnapshot


class StepObserver(Protocol):
    """Inspects the gradients of tasks before a step without changing anything."""

    def before_step(
        self, losses: TaskLosses, gradients: StepGradients, recompute_losses: Callable[[], TaskLosses]
    ) -> None:
        """Inspect the losses of a batch; their autograd graph must remain usable.

        Args:
            losses: The losses of all tasks with a label in the batch.
            gradients: Computes gradients of the batch.
            recompute_losses: Recomputes the losses without gradients and side effects: a forward pass with the
                weights at the time of the call and the same dropout masks.
        """


def training_step(
    gradients: StepGradients,
    network: MultiTaskNetwork,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    max_grad_norm: float | None,
    observer: StepObserver | None = None,
) -> TaskLosses:
    """Update the network with one batch.

    Missing labels do not contribute to the loss. A batch without any label updates nothing. A task without a label
    in the batch is not updated, neither through momentum nor through weight decay.

    Args:
        gradients: Computes the gradients of the network.
        network: The network.
        objective: Losses and their weighting.
        optimizer: Updates the parameters of `network` and `objective`.
        batch: Inputs and targets.
        max_grad_norm: Maximum norm of the gradients; None for no clipping.
        observer: Inspects the gradients of the tasks before the step.

    Returns:
        The loss of each task with a label. `values.grad` contains the weight of each loss in the total if the
        weighting combines losses.

    Raises:
        NonFiniteLossError: If a loss is not finite.
    """
    optimizer.zero_grad()
    rng_snapshot = RngSnapshot([network, objective], gradients.accelerator.device) if observer is not None else None
    losses = compute_losses(network, objective, batch)
    if not len(losses.values):
        return losses
    if observer is not None and rng_snapshot is not None:
        observer.before_step(
            losses, gradients, lambda: _recompute_with_snapshot(rng_snapshot, network, objective, batch)
        )
    gradients.loss_weights = losses.values
    objective.backward(losses, network.trunk.regularization_loss(), gradients)
    gradients.reduce()
    counts = torch.split(losses.counts, objective.group_sizes)
    with freeze_unlabelled_tasks(network, counts, optimizer):
        if max_grad_norm is not None:  # only gradients that update a parameter
            parameters = [*network.parameters(), *objective.parameters()]
            gradients.accelerator.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
    objective.on_step_end(lambda: _recompute_losses(network, objective, batch))
    return losses


def compute_losses(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    """Run the network on the labelled examples of a batch and return the loss of each task with a label.

    Raises:
        NonFiniteLossError: If a loss is not finite.
    """
    masks = objective.compute_masks(batch)
    output_masks = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    return objective.compute_task_losses(network(batch.inputs, output_masks, batch.masked_inputs), batch, masks)


@torch.no_grad()
def _recompute_losses(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    return compute_losses(network, objective, batch)


def _recompute_with_snapshot(
    rng_snapshot: RngSnapshot, network: MultiTaskNetwork, objective: Objective, batch: Batch
) -> TaskLosses:
    with rng_snapshot.restore():
        return _recompute_losses(network, objective, batch)
