"""Split the training examples and measure how balanced the splits are."""

from array import array
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.metrics import Imbalance
from mtl_core.data.column_operations import convert_to_categorical, convert_to_numbers, list_distinct, select_rows
from mtl_core.data.columns import CategoricalColumn
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.label_space import flatten_label
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec

MAX_DISTINCT_VALUES = 20
"""A column of numbers with more distinct values than this is stratified by its quartiles."""


@dataclass(frozen=True)
class SplitUnits:
    """The units that a splitter distributes: groups of examples that must stay together.

    Attributes:
        indicators: `(units, columns)`, uint8: 1 if the unit contains this (task, class).
        columns: The (task, class) of each column.
        sizes: `(units,)`, int64: the number of examples per unit.
        has_validation: Whether the data also contains predefined validation examples.
        metadata: The metadata of the examples in the units.
        unit_of_example: `(examples,)`, int64: the index of the unit of each of these examples.
    """

    indicators: NDArray[np.uint8]
    columns: Sequence[tuple[str, str]]
    sizes: NDArray[np.int64]
    has_validation: bool = False
    metadata: ExampleMetadata = field(default_factory=ExampleMetadata)
    unit_of_example: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Split:
    """Indices into a corpus, int64, one sorted array per split.

    Attributes:
        train: Examples for training.
        validation: Examples for selecting the epoch.
        test: Examples for the final metrics.
        largest_imbalance: The largest imbalance between training and validation.
        auxiliary_only: Training examples without a label for any main task, used by auxiliary tasks only.
        label_mask: `(examples,)`, bool: which examples of the corpus have a label for an active task; None if all
            tasks are active.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    largest_imbalance: Imbalance | None = None
    auxiliary_only: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    label_mask: NDArray[np.bool_] | None = None

    def select_labelled(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows that have a label for an active task."""
        return rows if self.label_mask is None else rows[self.label_mask[rows]]

    @cached_property
    def all_training_rows(self) -> NDArray[np.int64]:
        """All rows that training visits if all tasks are active."""
        return np.sort(np.concatenate([self.train, self.auxiliary_only]))


def split_corpus(
    corpus: Corpus,
    usable: NDArray[np.bool_],
    labels: Mapping[str, Sequence[Label | None]],
    splitter: SplitterSpec,
    seed: int,
) -> Split:
    """Split the usable training examples of a corpus; predefined validation and test examples stay in their split.

    Args:
        corpus: The examples.
        usable: `(examples,)`, bool: which examples training can use. Unusable training examples are dropped.
        labels: Mapping of task name to one label (or None) per example.
        splitter: The splitter.
        seed: The splitter's only source of randomness.

    Raises:
        MtlError: If the splitter does not return one split per unit, or if no training example remains.
    """
    rows = corpus.get_row_indices("train")
    rows = rows[usable[rows]]
    if not len(rows):
        raise MtlError("no training example has a label for any task")
    unit_of_row = _number_groups(corpus.groups, rows)
    cells, columns = build_indicator_columns(
        {name: select_rows(task_labels, rows) for name, task_labels in labels.items()}, len(rows)
    )
    sizes = np.bincount(unit_of_row)
    indicators = _merge_rows(cells, unit_of_row, len(sizes))
    unit_splits = splitter.split(
        SplitUnits(
            indicators,
            columns,
            sizes,
            len(corpus.get_row_indices("validation")) > 0,
            ExampleMetadata(corpus.metadata, corpus.locations).select(rows),
            unit_of_row,
        ),
        seed,
    )
    if unit_splits.shape != (len(sizes),) or not np.isin(unit_splits, (0, 1, 2)).all():
        raise MtlError(f"the splitter '{splitter.type}' must return 0, 1 or 2 for each of {len(sizes)} units")
    split_of_row = unit_splits[unit_of_row]
    train, validation = rows[split_of_row == 0], rows[split_of_row == 1]
    if not len(train):
        raise MtlError(f"the splitter '{splitter.type}' leaves no training example")
    largest_imbalance = _find_largest_imbalance(cells[split_of_row == 0], cells[split_of_row == 1], columns)
    test = rows[split_of_row == 2]
    return Split(
        train,
        np.sort(np.concatenate([validation, corpus.get_row_indices("validation")])),
        test if splitter.replaces_test else np.sort(np.concatenate([test, corpus.get_row_indices("test")])),
        largest_imbalance,
    )


def _merge_rows(cells: NDArray[np.uint8], unit_of_row: NDArray[np.int64], n_units: int) -> NDArray[np.uint8]:
    """Return the indicators of units, `(units, columns)`: 1 if a row of the unit has a 1."""
    if n_units == len(cells):  # every row is a unit of its own, in the same order
        return cells
    indicators = np.zeros((n_units, cells.shape[1]), dtype=np.uint8)
    np.maximum.at(indicators, unit_of_row, cells)
    return indicators


def _number_groups(groups: Sequence[Hashable], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group number of each row, `(rows,)`, int64; groups are numbered in order of first occurrence."""
    if isinstance(groups, array):
        _, first, inverse = np.unique(np.asarray(groups)[rows], return_index=True, return_inverse=True)
        group_number = np.empty(len(first), dtype=np.int64)
        group_number[np.argsort(first)] = np.arange(len(first))
        return group_number[inverse.reshape(-1)]
    group_numbers: dict[Hashable, int] = {}
    return np.array(
        [group_numbers.setdefault(groups[row], len(group_numbers)) for row in rows.tolist()], dtype=np.int64
    )


def build_indicator_columns(
    labels: Mapping[str, Sequence[Label | None]], n_examples: int
) -> tuple[NDArray[np.uint8], list[tuple[str, str]]]:
    """Build one indicator column per (task, class): 1 for an example with that label.

    Args:
        labels: Mapping of task name to one label (or None) per example. Numbers with many distinct values become
            quartiles; every member of a list of labels counts; lists of numbers are ignored.
        n_examples: The number of examples.

    Returns:
        Indicators `(examples, columns)`, uint8, and the (task, class) of each column.
    """
    indicators: list[NDArray[np.bool_]] = []
    names: list[tuple[str, str]] = []
    for task, column in labels.items():
        for name, cells in sorted(_find_members(_convert_to_quartiles(column)).items()):
            indicators.append(cells)
            names.append((task, name))
    table = np.zeros((n_examples, len(indicators)), dtype=np.uint8)
    for index, cells in enumerate(indicators):
        table[:, index] = cells
    return table, names


def _find_members(column: Sequence[Label | None]) -> dict[str, NDArray[np.bool_]]:
    """Return class name to the rows with a label of this name, `(rows,)`, bool."""
    categorical = convert_to_categorical(column)
    rows_by_class: dict[str, NDArray[np.bool_]] = {}
    if categorical is not None:
        for code in np.unique(categorical.codes).tolist():
            for name in _list_class_names(categorical.values[code]):
                matches = categorical.codes == code
                rows_by_class[name] = rows_by_class[name] | matches if name in rows_by_class else matches
        return rows_by_class
    for row, label in enumerate(column):
        for name in _list_class_names(label):
            rows_by_class.setdefault(name, np.zeros(len(column), dtype=bool))[row] = True
    return rows_by_class


def _list_class_names(label: Label | None) -> list[str]:
    """Return the classes of a label for stratification; lists of numbers have none."""
    if label is None:
        return []
    is_list = isinstance(label, list | tuple)
    return [str(member) for member in flatten_label(label) if isinstance(member, str) or not is_list]


def _convert_to_quartiles(column: Sequence[Label | None]) -> Sequence[Label | None]:
    """Convert numbers, or texts that are all numeric, to quartiles if there are many distinct values."""
    distinct_values: set[str] = set()
    for label in list_distinct(column):
        if label is not None and not isinstance(label, list | tuple):
            distinct_values.add(str(label))
    if len(distinct_values) <= MAX_DISTINCT_VALUES:
        return column
    numbers = convert_to_numbers(column)
    if numbers is None:
        try:
            numbers = np.array([np.nan if label is None else float(label) for label in column])  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return column
    edges = np.nanquantile(numbers, [0.25, 0.5, 0.75])
    missing = np.isnan(numbers)
    codes = np.where(missing, len(edges) + 1, np.searchsorted(edges, numbers)).astype(np.uint8)
    return CategoricalColumn([*range(len(edges) + 1), None], codes)


def _find_largest_imbalance(
    train: NDArray[np.uint8], validation: NDArray[np.uint8], names: Sequence[tuple[str, str]]
) -> Imbalance | None:
    if not len(train) or not len(validation) or not names:
        return None
    differences = np.abs(train.mean(axis=0) - validation.mean(axis=0)) * 100
    index = int(differences.argmax())
    return Imbalance(*names[index], points=float(differences[index]))
