"""Dividing the training examples, and saying how evenly that was done."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.errors import MtlError
from mtl_core.specs import SplitterSpec

MANY_VALUES = 20
"""A column of numbers with more distinct values than this is divided by its quartiles."""


@dataclass(frozen=True)
class SplitUnits:
    """What a splitter divides: groups of examples that must stay together.

    Attributes:
        indicators: Shape `(units, columns)`, uint8: does the unit hold this (task, class)?
        columns: The (task, class) of each column.
        sizes: Shape `(units,)`: examples in each unit.
    """

    indicators: NDArray[np.uint8]
    columns: Sequence[tuple[str, str]]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Deviation:
    """The (task, class) whose share differs most between training and validation.

    Attributes:
        task: Name of the label column.
        label: The class.
        points: Percentage points between the shares of all examples of either part that carry it.
    """

    task: str
    label: str
    points: float


@dataclass(frozen=True)
class Split:
    """Indices into a corpus, a part each, in the corpus's order."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    worst: Deviation | None = None


def split_corpus(
    corpus: Corpus, usable: NDArray[np.bool_], columns: Sequence[str], splitter: SplitterSpec, seed: int
) -> Split:
    """Divide the usable training examples of a corpus; what the data itself puts elsewhere stays there.

    Args:
        corpus: The examples.
        usable: Shape `(examples,)`: which examples can be trained on. Others of `train` go nowhere.
        columns: Label columns that tasks learn.
        splitter: Does the dividing.
        seed: The splitter's only source of randomness.

    Raises:
        MtlError: If the splitter's answer is not one part for each unit, or leaves nothing to train on.
    """
    rows = np.array([index for index in corpus.rows("train") if usable[index]], dtype=np.int64)
    if not len(rows):
        raise MtlError("no training example has a label for any task")
    members = _units([corpus.groups[index] for index in rows])
    labels = {name: [corpus.labels[name][index] for index in rows] for name in columns}
    cells, names = indicator_columns(labels)
    indicators = np.stack([cells[unit].max(axis=0) for unit in members]) if names else np.zeros((len(members), 0))
    sizes = np.array([len(unit) for unit in members])
    parts = splitter.split(SplitUnits(indicators.astype(np.uint8), names, sizes), seed)
    if parts.shape != (len(members),) or not np.isin(parts, (0, 1, 2)).all():
        raise MtlError(f"the splitter '{splitter.type}' must give 0, 1 or 2 for each of {len(members)} units")
    part_of_row = np.empty(len(rows), dtype=np.int8)
    for unit, part in zip(members, parts, strict=True):
        part_of_row[unit] = part
    train, validation = rows[part_of_row == 0], rows[part_of_row == 1]
    if not len(train):
        raise MtlError(f"the splitter '{splitter.type}' left no example to train on")
    worst = _worst(cells[part_of_row == 0], cells[part_of_row == 1], names)
    return Split(
        train,
        np.sort(np.concatenate([validation, np.array(corpus.rows("validation"), dtype=np.int64)])),
        np.sort(np.concatenate([rows[part_of_row == 2], np.array(corpus.rows("test"), dtype=np.int64)])),
        worst,
    )


def _units(groups: Sequence[Hashable]) -> list[list[int]]:
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    return list(members.values())


def indicator_columns(
    labels: Mapping[str, Sequence[Label | None]],
) -> tuple[NDArray[np.uint8], list[tuple[str, str]]]:
    """Make one column a (task, class): 1 where an example carries that label.

    Args:
        labels: Column name to one label (or None) an example. Numbers with many values become quartiles.

    Returns:
        Cells of shape `(examples, columns)`, and the (task, class) of each column.
    """
    cells, names = [], []
    for task, column in labels.items():
        binned = _quartiles(column)
        for label in sorted({str(value) for value in binned if value is not None}):
            cells.append([value is not None and str(value) == label for value in binned])
            names.append((task, label))
    examples = len(next(iter(labels.values()), []))
    if not cells:
        return np.zeros((examples, 0), dtype=np.uint8), []
    return np.array(cells, dtype=np.uint8).T.copy(), names


def _quartiles(column: Sequence[Label | None]) -> Sequence[Label | None]:
    numbers = [value for value in column if isinstance(value, int | float)]
    if len(set(numbers)) <= MANY_VALUES:
        return column
    edges = np.quantile(numbers, [0.25, 0.5, 0.75])
    return [None if value is None else int(np.searchsorted(edges, float(value))) for value in column]


def _worst(
    train: NDArray[np.uint8], validation: NDArray[np.uint8], names: Sequence[tuple[str, str]]
) -> Deviation | None:
    if not len(train) or not len(validation) or not names:
        return None
    gaps = np.abs(train.mean(axis=0) - validation.mean(axis=0)) * 100
    index = int(gaps.argmax())
    return Deviation(*names[index], points=float(gaps[index]))
