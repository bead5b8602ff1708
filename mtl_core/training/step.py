"""One training step."""

from collections.abc import Callable
from typing import Protocol

import torch

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.idle import idle_tasks_kept
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective
from mtl_core.training.replay import Replay


class StepObserver(Protocol):
    """Inspects the gradients of tasks before a step without changing anything."""

    def before_step(self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]) -> None:
        """Inspect the losses of a batch; their autograd graph must remain usable.

        Args:
            losses: The losses of all tasks with a label in the batch.
            gradients: Computes gradients of the batch.
            again: Recomputes the losses without gradients and side effects: a forward pass with the weights at the
                time of the call and the same dropout masks.
        """


def training_step(
    gradients: StepGradients,
    network: MultiTaskNetwork,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    clip_norm: float | None,
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
        clip_norm: Maximum norm of the gradients; None for no clipping.
        observer: Inspects the gradients of the tasks before the step.

    Returns:
        The loss of each task with a label. `values.grad` contains the weight of each loss in the total if the
        weighting combines losses.

    Raises:
        NotFiniteError: If a loss is not finite.
    """
    optimizer.zero_grad()
    replay = Replay([network, objective], gradients.accelerator.device) if observer is not None else None
    losses = batch_losses(network, objective, batch)
    if not len(losses.values):
        return losses
    if observer is not None and replay is not None:
        observer.before_step(losses, gradients, lambda: _replayed(replay, network, objective, batch))
    gradients.counted = losses.values
    objective.backward(losses, network.body.penalty(), gradients)
    gradients.reduce()
    counts = torch.split(losses.counts, objective.sizes)
    with idle_tasks_kept(network, counts, optimizer):
        if clip_norm is not None:  # only gradients that update a parameter
            moved = [*network.parameters(), *objective.parameters()]
            gradients.accelerator.clip_grad_norm_(moved, clip_norm)
        optimizer.step()
    objective.stepped(lambda: _again(network, objective, batch))
    return losses


def batch_losses(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    """Run the network on the labelled examples of a batch and return the loss of each task with a label.

    Raises:
        NotFiniteError: If a loss is not finite.
    """
    masks = objective.masks(batch)
    wanted = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    return objective.task_losses(network(batch.inputs, wanted, batch.hidden), batch, masks)


@torch.no_grad()
def _again(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    return batch_losses(network, objective, batch)


def _replayed(replay: Replay, network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    with replay.again():
        return _again(network, objective, batch)
