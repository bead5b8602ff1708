"""Predictions of many tasks as arrays, one set per head group: the contents of compact prediction files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MISSING_CODE = -1
"""The code of a missing label."""
LabelForm = Literal["class", "classes", "numbers"]


@dataclass(frozen=True)
class GroupArrays:
    """The predictions of the tasks of one head group.

    A code is an index into the classes of a task, followed by its other labels.

    Attributes:
        kind: The kind of the tasks, such as `binary`.
        tasks: The names of the tasks.
        classes: The classes of each task; none for numbers.
        other_labels: True labels of each task that are not predicted, since its mask excludes them.
        labels: The predicted labels: `(examples, tasks)`, integer: codes; `(examples, tasks, classes)`, bool: which
            labels of a multi-label task are predicted; `(examples, tasks)` or `(examples, tasks, numbers)`, float32:
            numbers.
        probabilities: `(examples, tasks, classes)`, float32; None for numbers. In files, one class is left out if
            there are two.
        gold: The true labels in the form of `labels`. Missing are codes of -1, and numbers that are NaN; a missing
            list of labels is a row of -1, so that indicators are int8. None if no label is known.
    """

    kind: str
    tasks: Sequence[str]
    classes: Sequence[Sequence[str]]
    other_labels: Sequence[Sequence[str]]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32] | None
    gold: NDArray[Any] | None

    @property
    def form(self) -> LabelForm:
        """What a label is: one `class`, a list of `classes`, or `numbers`."""
        if self.labels.dtype == np.bool_:
            return "classes"
        return "class" if self.labels.dtype.kind in "iu" else "numbers"


@dataclass(frozen=True)
class PredictionArrays:
    """The predictions of all tasks for a list of examples.

    Attributes:
        split: The name of the split; empty for other inputs.
        ids: The id of each example.
        groups: The predictions of each head group.
        samples: The first examples, as in the lines of `predictions.jsonl`, without `tasks`.
    """

    split: str
    ids: Sequence[str]
    groups: Sequence[GroupArrays]
    samples: Sequence[Mapping[str, Any]] = ()
