"""Tables of targets: the expected output of each task for each example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.pieces import missing_of
from mtl_core.training.kinds import TaskKind


class TargetTable(ABC):
    """The targets of a head group."""

    hides: float = 0.0
    """Share of tokens that are masked in the input of the network."""

    @abstractmethod
    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return the targets of a batch, `(batch, tasks, ...)`.

        Args:
            rows: `(batch,)`, int64: indices of the examples.
            ids: `(batch, length)`, int64: token ids if inputs are tokens; see `TaskKind.input_targets`.
            hidden: `(batch, length)`, bool: the masked tokens; None if no tokens are masked.
        """


class ExampleTargets(TargetTable):
    """One target per example and task.

    Args:
        table: `(examples, tasks, ...)`, the targets of all examples.
    """

    def __init__(self, table: torch.Tensor) -> None:
        self.table = table

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return the rows of the table."""
        return self.table[rows]


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

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return the targets padded to the longest example, `(batch, tasks, length)`; padding counts as missing."""
        chosen = rows.tolist()
        length = int(self.lengths[chosen].max())
        table = np.full((len(chosen), len(self.columns), length), missing_of(self.dtype), dtype=self.dtype)
        for task, column in enumerate(self.columns):
            for place, row in enumerate(chosen):
                values = column[row]
                if values is not None:
                    table[place, task, : len(values)] = values
        return torch.from_numpy(table)


class InputTargets(TargetTable):
    """Targets that are derived from the inputs of a batch.

    Args:
        kinds: One task kind per task.
    """

    def __init__(self, kinds: Sequence[TaskKind]) -> None:
        self.kinds = kinds
        self.hides = kinds[0].hides

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return the targets that each kind derives from the inputs."""
        assert ids is not None  # noqa: S101  such tasks are rejected if inputs are not tokens
        return torch.stack([kind.input_targets(ids, hidden) for kind in self.kinds], dim=1)
