"""Freeze tasks without a label in a batch during its step.

Momentum and weight decay update every parameter that has a gradient, even a gradient of zeros
(https://github.com/pytorch/pytorch/issues/41101). Therefore the gradient of an unlabelled task's
parameters is set to None, and its rows of parameters that are stacked by task are restored after the step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from mtl_core.model.network import MultiTaskNetwork

Saved = list[tuple[torch.Tensor, torch.Tensor]]


@contextmanager
def idle_tasks_kept(
    network: MultiTaskNetwork, counts: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer
) -> Iterator[None]:
    """Prevent that an optimizer step inside the block updates tasks without a label in the batch.

    Args:
        network: The network.
        counts: `(tasks,)`, int64, per head group: the number of labels of each task in the batch.
        optimizer: The optimizer of the step.
    """
    saved: list[tuple[nn.Parameter, torch.Tensor, Saved]] = []
    for task, labels in enumerate(torch.cat(list(counts)).tolist()):
        if not labels:
            for parameter in network.body.task_parameters(task):
                parameter.grad = None
    for group, labels in zip(network.head_groups(), counts, strict=True):
        idle = (labels == 0).nonzero()[:, 0]
        if len(idle) == len(labels):
            for parameter in group.parameters():
                parameter.grad = None
            continue
        for task in idle.tolist():
            for parameter in group.task_parameters(task):
                parameter.grad = None
        if len(idle):
            for parameter in group.stacked_parameters():
                moving = [parameter.data, *_like(parameter, optimizer)]
                saved.append((parameter, idle, [(tensor, tensor[idle].clone()) for tensor in moving]))
    yield
    with torch.no_grad():
        for parameter, idle, rows in saved:
            for tensor, before in rows:
                tensor[idle] = before
            fresh = [t for t in _like(parameter, optimizer) if not any(t is tensor for tensor, _ in rows)]
            for tensor in fresh:  # optimizer state that this step created: initial value for unlabelled tasks
                tensor[idle] = 0


def _like(parameter: nn.Parameter, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the tensors of the optimizer state that have the shape of a parameter."""
    return [
        value
        for value in optimizer.state.get(parameter, {}).values()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    ]
