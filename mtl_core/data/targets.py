"""Tables of targets: the expected output of each task for each example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.subwords import get_missing_target
from mtl_core.nn.task_kind import TaskKind


class TargetTable(ABC):
    """The targets of a head group."""

    mask_ratio: float = 0.0
    """Share of tokens that are masked in the input of the network."""

    @abstractmethod
    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the targets of a batch, `(batch, tasks, ...)`.

        Args:
            row_indices: `(batch,)`, int64: indices of the examples.
            token_ids: `(batch, length)`, int64: token ids if inputs are tokens; see `TaskKind.input_targets`.
            token_mask: `(batch, length)`, bool: the masked tokens; None if no tokens are masked.
            pixel_indices: `(batch, pixels)`, int64: the source of each pixel of augmented images, -1 for none; None
                if images are not augmented. Only targets per pixel depend on it.
        """


class ExampleTargets(TargetTable):
    """One target per example and task; whole numbers are stored in as few bytes as possible.

    Args:
        table: `(examples, tasks, ...)`, the targets of all examples.
    """

    def __init__(self, table: torch.Tensor) -> None:
        self.dtype = table.dtype
        self.table = _compress(table)

    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the rows of the table, in its original dtype."""
        return self.table[row_indices].to(self.dtype)


class TokenTargets(TargetTable):
    """One target per token and task, with a variable number of tokens per example.

    Args:
        columns: One list per task with one array `(tokens,)` per example; None for an example without labels.
        lengths: `(examples,)`, int64: the number of tokens of each example.
        dtype: The dtype of the arrays.
    """

    def __init__(
        self, columns: Sequence[Sequence[NDArray[Any] | None]], lengths: NDArray[np.int64], dtype: np.dtype[Any]
    ) -> None:
        self.columns = columns
        self.lengths = lengths
        self.dtype = dtype

    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the targets padded to the longest example, `(batch, tasks, length)`; padding counts as missing."""
        indices = row_indices.tolist()
        length = int(self.lengths[indices].max())
        table = np.full((len(indices), len(self.columns), length), get_missing_target(self.dtype), dtype=self.dtype)
        for task, column in enumerate(self.columns):
            for index, row in enumerate(indices):
                values = column[row]
                if values is not None:
                    table[index, task, : len(values)] = values
        return torch.from_numpy(table)


class InputTargets(TargetTable):
    """Targets that are derived from the inputs of a batch.

    Args:
        kinds: One task kind per task.
    """

    def __init__(self, kinds: Sequence[TaskKind]) -> None:
        self.kinds = kinds
        self.mask_ratio = kinds[0].mask_ratio

    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the targets that each kind derives from the inputs."""
        assert token_ids is not None  # noqa: S101  such tasks are rejected if inputs are not tokens
        return torch.stack([kind.build_input_targets(token_ids, token_mask) for kind in self.kinds], dim=1)


def _compress(table: torch.Tensor) -> torch.Tensor:
    """Return int64 values in the smallest integer dtype that holds them."""
    if table.dtype != torch.int64 or not table.numel():
        return table
    low, high = (int(value) for value in table.aminmax())
    for dtype in (torch.int8, torch.int16, torch.int32):
        if torch.iinfo(dtype).min <= low and high <= torch.iinfo(dtype).max:
            return table.to(dtype)
    return table
