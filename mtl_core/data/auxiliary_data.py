"""Inputs and result of an auxiliary task's spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder

if TYPE_CHECKING:
    from mtl_core.plugins.specs import HeadSpec, TaskKindSpec


@dataclass(frozen=True)
class AuxiliaryData:
    """The data from which the labels of auxiliary tasks are derived.

    Attributes:
        corpus: All examples.
        task_labels: Mapping of main task name to one label (or None) per example.
        encoder: The fitted encoder.
        parsed: The parsed input of every example.
        train_rows: `(rows,)`, int64: indices of the training examples; statistics are computed from these only.
    """

    corpus: Corpus
    task_labels: Mapping[str, Sequence[Label | None]]
    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    train_rows: NDArray[np.int64]

    def words(self, row: int) -> list[str]:
        """Return the words of an example, as written."""
        return self.encoder.words(self.parsed[row])


@dataclass(frozen=True)
class AuxiliaryTask:
    """A task that the spec of an auxiliary task builds.

    Attributes:
        name: The name of the spec, with a suffix if the spec builds several tasks.
        kind: The task kind.
        head: The head.
        labels: One label (or None) per example; empty if the kind derives its targets from the inputs.
        notes: Information for the user, such as which words were selected.
    """

    name: str
    kind: TaskKindSpec
    head: HeadSpec
    labels: Sequence[Label | None] = ()
    notes: Sequence[str] = ()
