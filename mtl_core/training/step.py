"""One training step: the heart of the framework, short on purpose."""

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
    """Somebody who looks at tasks' gradients before a step is made, and changes nothing."""

    def before_step(self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]) -> None:
        """Look at a batch's losses; the graph behind them must stay usable.

        Args:
            losses: Those of all tasks that have a label in the batch.
            gradients: Passes backward through the batch.
            again: Computes the same losses once more, without gradients and without a trace: a forward pass with
                the weights as they are then, under the same dropout masks.
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
    """Move the network by one batch.

    Only labels that are there are looked at. A batch without any label moves nothing; a task without a label in
    the batch is not moved, neither by momentum nor by weight decay.

    Args:
        gradients: Passes backward through the network.
        network: The network.
        objective: Losses and their weighting.
        optimizer: Moves the parameters of both.
        batch: Inputs and targets.
        clip_norm: Norm that gradients are scaled down to, if given.
        observer: Looks at the tasks' gradients first.

    Returns:
        The loss of each task that had a label. `values.grad` is what each counted in the total, as far as the
        weighting is one of losses.

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
        if clip_norm is not None:  # of the gradients that move something
            moved = [*network.parameters(), *objective.parameters()]
            gradients.accelerator.clip_grad_norm_(moved, clip_norm)
        optimizer.step()
    objective.stepped(lambda: _again(network, objective, batch))
    return losses


def batch_losses(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    """Run the network on what is labelled in a batch, and give the loss of each task that has a label.

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
