"""The labels of all tasks of a head group in one table, for metrics that score many tasks at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class GroupLabels:
    """The labels of several tasks, one row per label, sorted by task. A missing or masked label has no row.

    The table is as long as there are labels, so that it is small for tasks that are labelled for few examples.

    Attributes:
        outputs: `(labels, ...)`: the outputs for each label.
        targets: `(labels, ...)`: the encoded labels.
        counts: `(tasks,)`, int64: number of labels of each task; may be 0.

    Example:
        >>> labels = GroupLabels(torch.tensor([[0.1], [0.9], [0.4]]), torch.tensor([0, 1, 1]), torch.tensor([2, 0, 1]))
        >>> labels.task_indices.tolist()
        [0, 0, 2]
        >>> labels.sum_by_task(labels.targets.unsqueeze(1)).tolist()
        [[1.0], [0.0], [1.0]]
    """

    outputs: torch.Tensor
    targets: torch.Tensor
    counts: torch.Tensor

    @classmethod
    def sort(cls, outputs: torch.Tensor, targets: torch.Tensor, task_indices: torch.Tensor, n_tasks: int) -> Self:
        """Sort labels by task; labels of one task keep their order.

        Args:
            outputs: `(labels, ...)`.
            targets: `(labels, ...)`.
            task_indices: `(labels,)`: the index of the task of each label.
            n_tasks: Number of tasks.
        """
        counts = torch.bincount(task_indices, minlength=n_tasks)
        indices = task_indices.numpy()
        if (indices[:-1] > indices[1:]).any():
            # NumPy sorts 16-bit integers in linear time.
            order = torch.from_numpy(np.argsort(indices.astype(np.min_scalar_type(n_tasks)), kind="stable"))
            outputs, targets = outputs[order], targets[order]
        return cls(outputs, targets, counts)

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Merge tables of the same tasks, without changing the order of the labels of a task."""
        if len(parts) == 1:
            return parts[0]
        outputs, targets = (torch.cat([getattr(part, name) for part in parts]) for name in ("outputs", "targets"))
        n_tasks = len(parts[0].counts)
        if n_tasks == 1:
            return cls(outputs, targets, torch.tensor([len(targets)]))
        return cls.sort(outputs, targets, torch.cat([part.task_indices for part in parts]), n_tasks)

    @cached_property
    def task_indices(self) -> torch.Tensor:
        """`(labels,)`, int64: the index of the task of each label, ascending."""
        return torch.repeat_interleave(torch.arange(len(self.counts)), self.counts)

    @cached_property
    def predicted_codes(self) -> torch.Tensor:
        """`(labels,)`, int64: the index of the largest output, for outputs `(labels, classes)`."""
        return self.outputs.argmax(dim=-1)

    def replace(self, outputs: torch.Tensor, targets: torch.Tensor | None = None) -> Self:
        """Return the same labels with other outputs, and with other targets if there are any."""
        labels = replace(self, outputs=outputs, targets=self.targets if targets is None else targets)
        labels.__dict__["task_indices"] = self.task_indices  # computed once for all forms of the labels
        return labels

    def select(self, is_selected: torch.Tensor) -> Self:
        """Return the labels that `is_selected`, `(labels,)`, bool, marks; a task may have no label left."""
        counts = torch.bincount(self.task_indices[is_selected], minlength=len(self.counts))
        return replace(self, outputs=self.outputs[is_selected], targets=self.targets[is_selected], counts=counts)

    def split_tasks(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return outputs and targets of each task."""
        counts = self.counts.tolist()
        return list(zip(torch.split(self.outputs, counts), torch.split(self.targets, counts), strict=True))

    def chunk_tasks(self, max_labels: int) -> Iterator[Self]:
        """Yield the labels of some consecutive tasks at a time, at most `max_labels` unless a single task has more."""
        ends = self.counts.cumsum(0).tolist()
        first_task = 0
        while first_task < len(ends):
            first_label = ends[first_task - 1] if first_task else 0
            stop_task = first_task + 1
            while stop_task < len(ends) and ends[stop_task] - first_label <= max_labels:
                stop_task += 1
            rows = slice(first_label, ends[stop_task - 1])
            yield replace(
                self,
                outputs=self.outputs[rows],
                targets=self.targets[rows],
                counts=self.counts[first_task:stop_task],
            )
            first_task = stop_task

    def sum_by_task(self, values: torch.Tensor) -> NDArray[np.float64]:
        """Sum values, `(labels, values)`, over the labels of each task: `(tasks, values)`, float64."""
        indices, n_tasks = self.task_indices.numpy(), len(self.counts)
        columns = values.double().unbind(dim=1)
        return np.stack([np.bincount(indices, column.numpy(), n_tasks) for column in columns], axis=1)
