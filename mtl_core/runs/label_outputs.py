"""Outputs and targets of the labels of a head group, collected for all its tasks at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.batches import RowIndices
from mtl_core.data.task_groups import TaskGroup


@dataclass(frozen=True)
class TaskOutputs:
    """Raw outputs and targets for each label (per example or token) of one task, in the order of the examples.

    Attributes:
        outputs: `(labels, outputs)`, float32: the raw outputs of the head.
        targets: `(labels, ...)`: the targets as the label space encodes them.
        examples: `(labels,)`, int64: the line of `predictions.jsonl` that each label belongs to, counted from 0.
    """

    outputs: torch.Tensor
    targets: torch.Tensor
    examples: torch.Tensor


@dataclass(frozen=True)
class GroupOutputs:
    """The outputs of the tasks of a head group, one task after the other.

    Attributes:
        tasks: The names of the tasks.
        counts: `(tasks,)`, int64: the number of labels of each task.
        labels: Outputs and targets of all labels.
    """

    tasks: Sequence[str]
    counts: torch.Tensor
    labels: TaskOutputs

    def iterate_tasks(self) -> Iterator[tuple[str, TaskOutputs]]:
        """Yield the name and the outputs of each task."""
        sizes = self.counts.tolist()
        parts = (
            torch.split(table, sizes) for table in (self.labels.outputs, self.labels.targets, self.labels.examples)
        )
        for name, outputs, targets, examples in zip(self.tasks, *parts, strict=True):
            yield name, TaskOutputs(outputs, targets, examples.long())


class GroupOutputCollector:
    """Collects the outputs for all unmasked labels of a head group.

    Args:
        group: The head group.
    """

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._tables: list[tuple[torch.Tensor, ...]] = []

    def update(self, outputs: torch.Tensor, targets: torch.Tensor, rows: RowIndices) -> None:
        """Add a batch.

        Args:
            outputs: `(batch, tasks, ..., outputs)`.
            targets: `(batch, tasks, ...)`.
            rows: `(batch,)`, int64: row indices of the examples.
        """
        mask = self._group.mask(targets).transpose(0, 1)
        task_indices, batch_indices = mask.nonzero(as_tuple=True)[:2]
        self._tables.append(
            (
                task_indices.cpu(),
                torch.from_numpy(rows)[batch_indices.cpu()],
                outputs.transpose(0, 1)[mask].float().cpu(),
                targets.transpose(0, 1)[mask].cpu(),
            )
        )

    def build(self, split_rows: RowIndices) -> GroupOutputs | None:
        """Return the outputs of all batches, sorted by task and by example; None without a batch.

        Args:
            split_rows: `(examples,)`, int64: row indices of the split, in ascending order.
        """
        if not self._tables:
            return None
        task_indices, corpus_rows, outputs, targets = (torch.cat(tables) for tables in zip(*self._tables, strict=True))
        # Stable, so that the tokens of an example keep their order.
        order = torch.from_numpy(np.lexsort((corpus_rows.numpy(), task_indices.numpy())))
        labels = TaskOutputs(outputs[order], targets[order], _find_indices(corpus_rows[order].numpy(), split_rows))
        counts = torch.bincount(task_indices, minlength=len(self._group.tasks))
        return GroupOutputs([task.name for task in self._group.tasks], counts, labels)


def _find_indices(corpus_rows: NDArray[np.int64], split_rows: RowIndices) -> torch.Tensor:
    """Return the index of each row within the split, whose rows are sorted."""
    return torch.from_numpy(np.searchsorted(split_rows, corpus_rows))
