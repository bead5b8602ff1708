"""Freeze tasks without a label in a batch during its step.

Momentum and weight decay update every parameter that has a gradient, even a gradient of zeros
(https://github.com/pytorch/pytorch/issues/41101). Therefore the gradient of an unlabelled task's
parameters is set to None, and its rows of parameters that are stacked by task are restored after the step.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.nn.task_heads import TaskHeads
from mtl_core.training.graph_parameters import find_leaves
from mtl_core.training.named_losses import NamedLosses

StackedRows = tuple[torch.Tensor, torch.Tensor]
"""A parameter whose first dimension is the task, and the indices of unlabelled tasks, `(n,)`, int64."""


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
    all_unlabelled = (torch.cat(list(counts)) == 0).nonzero()[:, 0].tolist()
    if not all_unlabelled:
        yield
        return
    parameters: list[nn.Parameter] = []
    stacked_rows: list[StackedRows] = []
    start = 0
    for group, label_counts in zip(network.head_groups(), counts, strict=True):
        end = start + len(label_counts)
        first, last = bisect_left(all_unlabelled, start), bisect_left(all_unlabelled, end)
        unlabelled = [task - start for task in all_unlabelled[first:last]]
        for task in unlabelled:
            parameters += network.trunk.task_parameters(start + task)
        start = end
        if len(unlabelled) == len(label_counts):
            parameters += group.parameters()
            continue
        for task in unlabelled:
            parameters += group.task_parameters(task)
        if unlabelled:
            rows = torch.tensor(unlabelled, device=label_counts.device)
            stacked_rows += [(parameter, rows) for parameter in group.stacked_parameters()]
    stacked_in_trunk = network.trunk.stacked_parameters()
    if stacked_in_trunk:
        rows = torch.tensor(all_unlabelled, device=counts[0].device)
        stacked_rows += [(parameter, rows) for parameter in stacked_in_trunk]
    with freeze_parameters(parameters, stacked_rows, optimizer):
        yield


@contextmanager
def freeze_parameters(
    parameters: Iterable[torch.Tensor], stacked_rows: Iterable[StackedRows], optimizer: torch.optim.Optimizer
) -> Iterator[None]:
    """Prevent that an optimizer step inside the block updates parameters, or rows of parameters.

    Args:
        parameters: The parameters; their gradients are set to None.
        stacked_rows: Parameters and the rows of each that are restored after the step, with the optimizer state.
        optimizer: The optimizer of the step.
    """
    stacked_rows = list(stacked_rows)
    for parameter in parameters:
        parameter.grad = None
    for parameter, rows in stacked_rows:  # a regularization loss reaches unlabelled tasks, too
        if parameter.grad is not None:
            parameter.grad[rows] = 0
    backups = [
        (parameter, rows, [(tensor, tensor[rows].clone()) for tensor in _list_tensors(parameter, optimizer)])
        for parameter, rows in stacked_rows
    ]
    yield
    with torch.no_grad():
        for parameter, rows, saved in backups:
            for tensor, saved_rows in saved:
                tensor[rows] = saved_rows
            new_tensors = [
                t for t in _get_state_tensors(parameter, optimizer) if not any(t is tensor for tensor, _ in saved)
            ]
            for tensor in new_tensors:  # optimizer state that this step created: initial value for unlabelled tasks
                tensor[rows] = 0


@contextmanager
def freeze_unlabelled(
    losses: NamedLosses | Iterable[NamedLosses],
    optimizer: torch.optim.Optimizer,
    stacked: TaskHeads | Iterable[torch.Tensor] = (),
) -> Iterator[None]:
    """Prevent that an optimizer step inside the block updates tasks without a label in the batch.

    Momentum and weight decay update every parameter with a gradient, even a gradient of zeros. The parameters that only
    unlabelled tasks depend on, found in the autograd graph, get no gradient; rows of parameters that are stacked by
    task are restored after the step, with their optimizer state.

    Args:
        losses: The losses of the batch from `MaskedLosses`; a list of them if gradients are accumulated over several.
        optimizer: The optimizer of the step.
        stacked: The parameters whose first dimension is the task, in the order of the tasks, such as the weight and the
            bias of one linear layer with one output per task; or the `TaskHeads`.

    Raises:
        MtlError: If `losses` are not those of `MaskedLosses`, or a stacked parameter has another number of rows.

    Example:
        >>> from mtl_core.training.masked_losses import MaskedLosses
        >>> layer, criterion = nn.Linear(3, 2), MaskedLosses({"first": "regression", "second": "regression"})
        >>> before = layer.bias.detach().clone()
        >>> outputs = layer(torch.ones(4, 3))
        >>> targets = {"first": torch.ones(4), "second": None}
        >>> losses = criterion({"first": outputs[:, 0], "second": outputs[:, 1]}, targets)
        >>> sum(losses.values()).backward()
        >>> optimizer = torch.optim.AdamW(layer.parameters(), weight_decay=0.1)
        >>> with freeze_unlabelled(losses, optimizer, stacked=layer.parameters()):
        ...     optimizer.step()
        >>> (layer.bias != before).tolist()
        [True, False]
    """
    batches = [losses] if isinstance(losses, NamedLosses) else list(losses)
    if not batches or not all(isinstance(batch, NamedLosses) for batch in batches):
        raise MtlError("freeze_unlabelled: expected the losses that MaskedLosses returns, or a list of them")
    tasks = batches[0].tasks
    labelled = {name for batch in batches for name in batch}
    updated: set[int] = set()
    unlabelled_leaves: dict[int, torch.Tensor] = {}
    for batch in batches:
        for name, outputs in batch.outputs.items():
            leaves = find_leaves(outputs)
            if name in labelled:
                updated.update(leaves)
            else:
                unlabelled_leaves |= leaves
    parameters = [leaf for key, leaf in unlabelled_leaves.items() if key not in updated]
    rows = _list_unlabelled_rows(stacked, tasks, labelled)
    with freeze_parameters(parameters, rows, optimizer):
        yield


def _list_unlabelled_rows(
    stacked: TaskHeads | Iterable[torch.Tensor], tasks: Sequence[str], labelled: Collection[str]
) -> list[StackedRows]:
    """Return the rows of unlabelled tasks.

    Raises:
        MtlError: If a stacked parameter has another number of rows than there are tasks.
    """
    by_parameter: list[tuple[torch.Tensor, Sequence[str]]] = (
        [*stacked.list_stacked_parameters()]
        if isinstance(stacked, TaskHeads)
        else [(parameter, tasks) for parameter in stacked]
    )
    rows: list[StackedRows] = []
    for parameter, names in by_parameter:
        if parameter.ndim == 0 or len(parameter) != len(names):
            raise MtlError(
                f"stacked: expected one row per task, {len(names)}; found a parameter of shape {tuple(parameter.shape)}"
            )
        unlabelled = [index for index, name in enumerate(names) if name not in labelled]
        if unlabelled:
            rows.append((parameter, torch.tensor(unlabelled, device=parameter.device)))
    return rows


def _list_tensors(parameter: torch.Tensor, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the values of a parameter, and the tensors of its optimizer state that have its shape."""
    return [parameter.data, *_get_state_tensors(parameter, optimizer)]


def _get_state_tensors(parameter: torch.Tensor, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the tensors of the optimizer state that have the shape of a parameter."""
    return [
        value
        for value in optimizer.state.get(parameter, {}).values()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    ]
