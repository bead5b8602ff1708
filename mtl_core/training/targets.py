"""Tables of targets: what each task should say about each example."""

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
    """The targets of a group of tasks."""

    hides: float = 0.0
    """Share of tokens that the network must not see while it predicts."""

    @abstractmethod
    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Give the targets of some examples, `(batch, tasks, ...)`.

        Args:
            rows: `(batch,)`, int64.
            ids: `(batch, length)`: the tokens that the network reads, if inputs are tokens; see `TaskKind`.
            hidden: `(batch, length)`, bool: which of them it does not see, if there are such.
        """


class ExampleTargets(TargetTable):
    """One target an example and task.

    Args:
        table: `(examples, tasks, ...)`.
    """

    def __init__(self, table: torch.Tensor) -> None:
        self.table = table

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Look them up."""
        return self.table[rows]


class TokenTargets(TargetTable):
    """One target a token and task, as many as each example has.

    Args:
        columns: A list an array an example, `(tokens,)`, for each task; None for an example without labels.
        lengths: `(examples,)`: tokens of each example.
        dtype: Of the arrays.
    """

    def __init__(
        self, columns: Sequence[Sequence[NDArray[Any] | None]], lengths: NDArray[np.int64], dtype: np.dtype[Any]
    ) -> None:
        self.columns = columns
        self.lengths = lengths
        self.dtype = dtype

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Pad them to the longest example, `(batch, tasks, length)`; padding is missing."""
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
    """Targets that are made from the inputs, a batch at a time.

    Args:
        kinds: What each task predicts of the input.
    """

    def __init__(self, kinds: Sequence[TaskKind]) -> None:
        self.kinds = kinds
        self.hides = kinds[0].hides

    def batch(self, rows: torch.Tensor, ids: torch.Tensor | None, hidden: torch.Tensor | None) -> torch.Tensor:
        """Ask each kind."""
        assert ids is not None  # noqa: S101  such tasks are refused where inputs are no tokens
        return torch.stack([kind.input_targets(ids, hidden) for kind in self.kinds], dim=1)
