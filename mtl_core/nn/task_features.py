"""Features of several tasks as one tensor, so that all tasks are computed in one batched product."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features

if TYPE_CHECKING:
    import torch


class TaskFeatures(Sequence[Features | None]):
    """Features per task, stacked into one tensor; a sequence of one `Features` per task, None for inactive tasks.

    An architecture returns them instead of a list, and a head group whose spec sets `reads_task_features` receives
    them, so that the features of a hundred tasks are one tensor on the whole way.

    Args:
        values: `(active tasks, batch, width)`; for sequences `(active tasks, batch, length, width)`, for spatial
            features `(active tasks, batch, channels, height, width)`.
        active: Whether each task is active, in the order of the tasks; inactive tasks have no row in `values`.
        mask: `(batch, length)`, bool, for sequences: the mask of all tasks.

    Raises:
        MtlError: If the number of rows is not the number of active tasks.

    Example:
        >>> import torch
        >>> features = TaskFeatures(torch.ones(2, 8, 4), [True, False, True])
        >>> features[0].values.shape, features[1]
        (torch.Size([8, 4]), None)
        >>> tuple(features.select_rows(torch.zeros(3, 5)).shape)
        (2, 5)
    """

    def __init__(self, values: torch.Tensor, active: Sequence[bool], mask: torch.Tensor | None = None) -> None:
        self.values = values
        self.active = list(active)
        self.mask = mask
        self.task_indices = [task for task, is_active in enumerate(self.active) if is_active]
        """The task of each row of `values`."""
        if len(values) != len(self.task_indices):
            raise MtlError(
                f"expected features of {len(self.task_indices)} active tasks, found a tensor of shape "
                f"{tuple(values.shape)}"
            )

    @classmethod
    def stack(cls, features: Sequence[Features | None]) -> TaskFeatures:
        """Stack the features of separate tasks; they have one mask."""
        import torch

        active = [one for one in features if one is not None]
        return cls(torch.stack([one.values for one in active]), [one is not None for one in features], active[0].mask)

    def __len__(self) -> int:
        return len(self.active)

    @overload
    def __getitem__(self, task: int) -> Features | None: ...

    @overload
    def __getitem__(self, task: slice) -> Sequence[Features | None]: ...

    def __getitem__(self, task: int | slice) -> Features | Sequence[Features | None] | None:
        return self._separate[task]

    @cached_property
    def _separate(self) -> list[Features | None]:
        # One `unbind`: the backward pass of a row that is selected alone fills a tensor of the size of all rows.
        rows = iter(self.values.unbind(0))
        return [Features(next(rows), self.mask) if is_active else None for is_active in self.active]

    def select_tasks(self, first: int, last: int) -> TaskFeatures:
        """Return the features of the tasks from `first` up to, but not including, `last`."""
        if (first, last) == (0, len(self.active)):
            return self
        start, size = sum(self.active[:first]), sum(self.active[first:last])
        return TaskFeatures(self.values.narrow(0, start, size), self.active[first:last], self.mask)

    def mean_pool(self) -> torch.Tensor:
        """Return `(active tasks, batch, width)`: per task and example, the mean over its tokens or positions."""
        if self.mask is None:
            return self.values if self.values.ndim == 3 else self.values.flatten(3).mean(dim=3)
        weights = self.mask.to(self.values.dtype).unsqueeze(-1)
        return (self.values * weights).sum(dim=2) / weights.sum(dim=1)

    def select_rows(self, parameter: torch.Tensor) -> torch.Tensor:
        """Return the rows of the active tasks, `(active tasks, ...)`, of a parameter stacked by task."""
        if len(self.task_indices) == len(self.active):
            return parameter
        return parameter.index_select(0, self._index(parameter))

    def fill_inactive(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return `(tasks, ...)` from `(active tasks, ...)`, with zeros for inactive tasks."""
        if len(self.task_indices) == len(self.active):
            return outputs
        zeros = outputs.new_zeros((len(self.active), *outputs.shape[1:]))
        return zeros.index_copy(0, self._index(outputs), outputs)

    def _index(self, tensor: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.tensor(self.task_indices, device=tensor.device)
