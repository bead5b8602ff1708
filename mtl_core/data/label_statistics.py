"""Label statistics, from which the label space of a task is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.tasks import NamedTask
from mtl_core.data.column_operations import find_labelled, select_rows
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.corpus import Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.label_space import is_valid_label

Column = Sequence[Label | None]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LabelStatistics:
    """The labels from which a label space is fitted.

    Attributes:
        all_labels: Labels of the training and validation data.
        training_labels: Labels of the training data; scales and frequencies are computed from these only. For
            labels per token, the labels of the tokens that the network reads.
        excluded_labels: Labels that the task's mask excludes.
        vocabulary: The encoder's tokens by id, most frequent first; empty if inputs are not tokens.
        locations: The location of each training label, for messages.
    """

    all_labels: Sequence[Label]
    training_labels: Sequence[Label]
    excluded_labels: frozenset[str] = frozenset()
    vocabulary: Sequence[str] = ()
    locations: Sequence[str] = ()


def compute_label_statistics(
    task: NamedTask,
    column: Column,
    known: Rows,
    train: Rows,
    locations: Sequence[str],
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> LabelStatistics:
    """Collect the label statistics of a task.

    Args:
        task: The task.
        column: One label per example; empty for a task that derives labels from the inputs.
        known: `(n,)`, int64: indices of training and validation examples.
        train: `(n,)`, int64: indices of training examples whose label has a positive weight.
        locations: The location of each example.
        encoder: The fitted encoder; for token-level tasks it maps tokens to words.
        parsed: The parsed inputs.
    """
    excluded = task.mask.list_excluded_labels()
    train_labels = _select_labels(column, train, excluded)
    label_locations = _LabelLocations(locations, column, train, excluded, len(train_labels))
    if task.kind.level == "token" and len(column):
        rows = [row for row in train.tolist() if is_valid_label(column[row], excluded)]
        train_labels = [
            _select_read_words(label, encoder.token_to_word(parsed[row]))
            for label, row in zip(train_labels, rows, strict=True)
        ]
    return LabelStatistics(
        _select_labels(column, known, excluded), train_labels, excluded, encoder.vocabulary, label_locations
    )


def select_weighted_rows(rows: Rows, weights: Sequence[float] | None) -> Rows:
    """Return the rows whose label has a positive weight: a label of weight 0 is treated as missing."""
    return rows if weights is None else rows[np.asarray(weights)[rows] > 0]


def _select_labels(column: Column, rows: Rows, excluded: frozenset[str]) -> Sequence[Label]:
    if not len(column):
        return []
    if isinstance(column, CategoricalColumn | NumericColumn):  # many rows: not one reference per row
        selected = select_rows(column, rows)
        return select_rows(selected, np.flatnonzero(find_labelled(selected, excluded)))
    candidates = (column[row] for row in rows.tolist())
    return [label for label in candidates if label is not None and is_valid_label(label, excluded)]


def _select_read_words(label: Label, word_indices: Sequence[int]) -> Label:
    """Return the labels of the words that the network reads; lists that are too short are refused later."""
    if not isinstance(label, list | tuple):
        return label
    return [label[index] for index in word_indices if index < len(label)]


class _LabelLocations(Sequence[str]):
    """The location of each training label, looked up on access."""

    def __init__(
        self, locations: Sequence[str], column: Column, rows: Rows, excluded: frozenset[str], labels: int
    ) -> None:
        self._locations, self._column, self._rows = locations, column, rows
        self._excluded, self._labels = excluded, labels

    def __len__(self) -> int:
        return self._labels

    def __getitem__(self, index: Any) -> Any:
        labelled = (row for row in self._rows.tolist() if is_valid_label(self._column[row], self._excluded))
        return self._locations[next(islice(labelled, index, None))]
