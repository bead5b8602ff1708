"""One training step: the heart of the framework, short on purpose."""

from typing import Protocol

import torch

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.idle import idle_tasks_kept
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective


class StepObserver(Protocol):
    """Somebody who looks at tasks' gradients before a step is made, and changes nothing."""

    def before_step(self, losses: TaskLosses, gradients: StepGradients) -> None:
        """Look at a batch's losses; the graph behind them must stay usable."""


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
    losses = batch_losses(network, objective, batch)
    if not len(losses.values):
        return losses
    if observer is not None:
        observer.before_step(losses, gradients)
    if losses.values.requires_grad:
        losses.values.retain_grad()
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
