"""Label statistics, from which the label space of a task is built."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import NamedTask
from mtl_core.data.columns import CodedColumn
from mtl_core.data.corpus import Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.label_space import FoundLabels, data_label

Column = Sequence[Label | None]
Rows = NDArray[np.int64]


def found_labels(
    task: NamedTask,
    column: Column,
    known: Rows,
    train: Rows,
    origins: Sequence[str],
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> FoundLabels:
    """Collect the label statistics of a task.

    Args:
        task: The task.
        column: One label per example; empty for a task that derives labels from the inputs.
        known: `(n,)`, int64: indices of training and validation examples.
        train: `(n,)`, int64: indices of training examples whose label has a positive weight.
        origins: The location of each example.
        encoder: The fitted encoder; for token-level tasks it maps tokens to words.
        parsed: The parsed inputs.
    """
    excluded = task.mask.excluded()
    training = _labels_of(column, train, excluded)
    where = _Origins(origins, column, train, excluded, len(training))
    if task.kind.level == "token" and len(column):
        rows = [row for row in train.tolist() if data_label(column[row], excluded)]
        training = [_read(label, encoder.places(parsed[row])) for label, row in zip(training, rows, strict=True)]
    return FoundLabels(_labels_of(column, known, excluded), training, excluded, encoder.vocabulary, where)


def rows_that_count(rows: Rows, weights: Sequence[float] | None) -> Rows:
    """Return the rows whose label has a positive weight: a label of weight 0 is treated as missing."""
    return rows if weights is None else rows[np.asarray(weights)[rows] > 0]


def _labels_of(column: Column, rows: Rows, excluded: frozenset[str]) -> Sequence[Label]:
    if not len(column):
        return []
    if isinstance(column, CodedColumn):  # many rows: keep one code per row, not one reference
        codes = column.codes[rows]
        kept = [code for code, value in enumerate(column.values) if data_label(value, excluded)]
        return CodedColumn(column.values, codes[np.isin(codes, kept)])
    found = (column[row] for row in rows.tolist())
    return [label for label in found if label is not None and data_label(label, excluded)]


def _read(label: Label, places: Sequence[int]) -> Label:
    """Return the labels of the words that the network reads; lists that are too short are refused later."""
    if not isinstance(label, list | tuple):
        return label
    return [label[place] for place in places if place < len(label)]


class _Origins(Sequence[str]):
    """The location of each training label, looked up on access."""

    def __init__(
        self, origins: Sequence[str], column: Column, rows: Rows, excluded: frozenset[str], labels: int
    ) -> None:
        self._origins, self._column, self._rows = origins, column, rows
        self._excluded, self._labels = excluded, labels

    def __len__(self) -> int:
        return self._labels

    def __getitem__(self, index: Any) -> Any:
        labelled = (row for row in self._rows.tolist() if data_label(self._column[row], self._excluded))
        return self._origins[next(islice(labelled, index, None))]
