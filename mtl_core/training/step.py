"""One training step: the heart of the framework, short on purpose."""

import torch
from accelerate import Accelerator

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch
from mtl_core.training.idle import idle_tasks_kept
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective


def training_step(
    accelerator: Accelerator,
    network: MultiTaskNetwork,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    clip_norm: float | None,
) -> TaskLosses:
    """Move the network by one batch.

    Only labels that are there are looked at. A batch without any label moves nothing; a task without a label in
    the batch is not moved, neither by momentum nor by weight decay.

    Args:
        accelerator: Devices, precision, backward.
        network: The network.
        objective: Losses and their weighting.
        optimizer: Moves the parameters of both.
        batch: Inputs and targets.
        clip_norm: Norm that gradients are scaled down to, if given.

    Returns:
        The loss of each task that had a label.

    Raises:
        MtlError: If a loss is not finite.
    """
    optimizer.zero_grad()
    losses = batch_losses(network, objective, batch)
    if not len(losses.values):
        return losses
    plain = accelerator.unwrap_model(network)
    total, penalty = objective.total(losses), plain.body.penalty()
    accelerator.backward(total if penalty is None else total + penalty)
    counts = torch.split(losses.counts, [targets.shape[1] for targets in batch.targets])
    with idle_tasks_kept(plain, counts, optimizer):
        if clip_norm is not None:  # of the gradients that move something
            accelerator.clip_grad_norm_([*network.parameters(), *objective.parameters()], clip_norm)
        optimizer.step()
    return losses


def batch_losses(network: MultiTaskNetwork, objective: Objective, batch: Batch) -> TaskLosses:
    """Run the network on what is labelled in a batch, and give the loss of each task that has a label.

    Raises:
        MtlError: If a loss is not finite.
    """
    masks = objective.masks(batch)
    wanted = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    return objective.task_losses(network(batch.inputs, wanted, batch.hidden), batch, masks)
