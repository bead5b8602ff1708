"""Freeze tasks without a label in a batch during its step.

Momentum and weight decay update every parameter that has a gradient, even a gradient of zeros
(https://github.com/pytorch/pytorch/issues/41101). Therefore the gradient of an unlabelled task's
parameters is set to None, and its rows of parameters that are stacked by task are restored after the step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from mtl_core.nn.network import MultiTaskNetwork

RowBackup = list[tuple[torch.Tensor, torch.Tensor]]


@contextmanager
def freeze_unlabelled_tasks(
    network: MultiTaskNetwork, counts: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer
) -> Iterator[None]:
    """Prevent that an optimizer step inside the block updates tasks without a label in the batch.

    Args:
        network: The network.
        counts: `(tasks,)`, int64, per head group: the number of labels of each task in the batch.
        optimizer: The optimizer of the step.
    """
    backups: list[tuple[nn.Parameter, torch.Tensor, RowBackup]] = []
    for task, label_counts in enumerate(torch.cat(list(counts)).tolist()):
        if not label_counts:
            for parameter in network.trunk.task_parameters(task):
                parameter.grad = None
    for group, label_counts in zip(network.head_groups(), counts, strict=True):
        unlabelled = (label_counts == 0).nonzero()[:, 0]
        if len(unlabelled) == len(label_counts):
            for parameter in group.parameters():
                parameter.grad = None
            continue
        for task in unlabelled.tolist():
            for parameter in group.task_parameters(task):
                parameter.grad = None
        if len(unlabelled):
            for parameter in group.stacked_parameters():
                tensors = [parameter.data, *_get_state_tensors(parameter, optimizer)]
                backups.append((parameter, unlabelled, [(tensor, tensor[unlabelled].clone()) for tensor in tensors]))
    yield
    with torch.no_grad():
        for parameter, unlabelled, rows in backups:
            for tensor, saved_rows in rows:
                tensor[unlabelled] = saved_rows
            new_tensors = [
                t for t in _get_state_tensors(parameter, optimizer) if not any(t is tensor for tensor, _ in rows)
            ]
            for tensor in new_tensors:  # optimizer state that this step created: initial value for unlabelled tasks
                tensor[unlabelled] = 0


def _get_state_tensors(parameter: nn.Parameter, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the tensors of the optimizer state that have the shape of a parameter."""
    return [
        value
        for value in optimizer.state.get(parameter, {}).values()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    ]
