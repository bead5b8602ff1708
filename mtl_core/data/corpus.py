"""The corpus that a loader returns: examples with ids, inputs and label columns."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.columns import CategoricalColumn, UniqueIds, ValidatedColumn, find_first_rows, find_rows
from mtl_core.data.input_format import format_input
from mtl_core.data.masks import Mask
from mtl_core.errors import MtlError, join_names

Scalar = str | int | float
Label = Scalar | Sequence[Scalar | None] | Mask
"""One raw label: a text, a number, a list of these (several labels, or one label per token), or a mask in memory."""
SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Span:
    """An annotated span of a text.

    Attributes:
        start: Offset of the first character.
        end: Offset after the last character.
        label: The label of the span; None if unknown.
    """

    start: int
    end: int
    label: str | None


@dataclass(frozen=True)
class Corpus:
    """Examples, in a fixed order.

    A missing label is None and never a class. Examples with equal `groups` entries (by default, identical inputs)
    are never divided between training and validation.

    Attributes:
        ids: One id per example, unique within its split.
        inputs: One input per example: a text, an array, a mapping of column to cell (None for a missing cell), any
            type that the encoder supports.
        labels: Mapping of column name to one label (or None) per example.
        splits: The predefined split of each example; a splitter divides only `train`.
        locations: The location of each example, for messages (`train.xml:17: sentence 813`).
        groups: One hashable per example.
        weights: Mapping of column name to one weight per example in that column's loss; the default is 1.
        sources: The data set of each example, if there are several.
        spans: Mapping of annotation name to the annotated spans of each input text; None for an input without
            annotation.
        metadata: Mapping of column name to one cell (None if it is missing) per example, for splitters: the author
            of an example, its date. No encoder and no task sees them.
        disclaimer: A disclaimer that every output about this data must contain, such as that it is a sample.
        warnings: Warnings for the user about problems that the loader found and fixed.
        omissions: Those of the warnings that report rows which the loader left out; `mtl predict` prints only these.
    """

    ids: Sequence[str]
    inputs: Sequence[object]
    labels: Mapping[str, Sequence[Label | None]]
    splits: Sequence[SplitName]
    locations: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    sources: Sequence[str] = ()
    spans: Mapping[str, Sequence[Sequence[Span] | None]] = field(default_factory=dict)
    metadata: Mapping[str, Sequence[object]] = field(default_factory=dict)
    disclaimer: str = ""
    warnings: Sequence[str] = field(default=())
    omissions: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not len(self.groups):
            object.__setattr__(self, "groups", [compute_input_key(value) for value in self.inputs])
        if not len(self.locations):
            object.__setattr__(self, "locations", [f"example {name}" for name in self.ids])
        lengths = {
            "inputs": len(self.inputs),
            "splits": len(self.splits),
            "locations": len(self.locations),
            "groups": len(self.groups),
            "sources": len(self.sources) or len(self.ids),
            **{f"labels of '{name}'": len(column) for name, column in self.labels.items()},
            **{f"weights of '{name}'": len(column) for name, column in self.weights.items()},
            **{f"spans of '{name}'": len(column) for name, column in self.spans.items()},
            **{f"metadata of '{name}'": len(column) for name, column in self.metadata.items()},
        }
        for name, length in lengths.items():
            if length != len(self.ids):
                raise MtlError(f"a loader returned {len(self.ids)} ids but {length} {name}")
        for split_name in find_first_rows(self.splits):
            if split_name not in SPLIT_NAMES:
                raise MtlError(
                    f"a loader assigned an example to the split {split_name!r}; splits are {join_names(SPLIT_NAMES)}"
                )
        columns = {name: self._check_labels(name, column) for name, column in self.labels.items()}
        if any(columns[name] is not column for name, column in self.labels.items()):
            object.__setattr__(self, "labels", columns)
        for name, weights in self.weights.items():
            if name not in self.labels:
                raise MtlError(f"a loader returned weights for '{name}', which is no label column")
            _check_weights(name, weights, self.locations)
        if not isinstance(self.ids, UniqueIds):
            self._check_ids()

    def _check_labels(self, name: str, column: Sequence[Label | None]) -> Sequence[Label | None]:
        """Return a valid column, in which arrays are masks."""
        if isinstance(column, CategoricalColumn) and all(map(_is_valid_member, column.values)):
            return column
        first_rows: Mapping[Label | None, int] = {}
        try:
            first_rows = {} if isinstance(column, ValidatedColumn) else find_first_rows(column)
        except MtlError:  # the type of a value is not a label type: a mask, or report its location
            column = [_convert_to_mask(label) for label in column]
            for row, label in enumerate(column):
                _check_label(name, label, self.locations[row])
        for label, row in first_rows.items():
            _check_label(name, label, self.locations[row])
        return column

    def _check_ids(self) -> None:
        first_index: dict[tuple[SplitName, str, str], int] = {}
        sources = self.sources or [""] * len(self)
        for index, key in enumerate(zip(self.splits, sources, self.ids, strict=True)):
            if key in first_index:
                raise MtlError(f"{self.locations[index]}: duplicate id '{key[2]}' ({self.locations[first_index[key]]})")
            first_index[key] = index

    def __len__(self) -> int:
        return len(self.ids)

    def get_text(self, index: int) -> str:
        """Return the readable text of an example, on one line for a row of cells; empty if there is none."""
        return format_input(self.inputs[index])

    def get_row_indices(self, split_name: SplitName) -> NDArray[np.int64]:
        """Return the indices of the examples of a predefined split, `(rows,)`, int64."""
        return find_rows(self.splits, split_name)


def _convert_to_mask(label: Any) -> Label | None:
    """Return an array of two or three dimensions as a mask, anything else unchanged."""
    converted: Label | None = Mask(label) if isinstance(label, np.ndarray) and label.ndim in {2, 3} else label
    return converted


def _check_label(column: str, label: object, location: str) -> None:
    if isinstance(label, Mask):
        return
    for member in label if isinstance(label, list | tuple) else [label]:
        if _is_valid_member(member):
            continue
        description = "an empty text" if isinstance(member, str) else repr(member)
        raise MtlError(
            f"{location}: the label '{column}' is {description}, expected a text, a number or a list of them "
            "(a missing label is None)"
        )


def _is_valid_member(member: object) -> bool:
    return member is None or (isinstance(member, str | int | float) and member != "" and member == member)


def _check_weights(column: str, weights: Sequence[float], locations: Sequence[str]) -> None:
    table = np.asarray(weights, dtype=np.float64)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite and is rejected below
        invalid = np.flatnonzero(~np.isfinite(table.astype(np.float32)) | (table < 0))
    if len(invalid):
        raise MtlError(
            f"{locations[invalid[0]]}: the weight of '{column}' is {table[invalid[0]]:g}, expected a number >= 0"
        )


def compute_input_key(value: object) -> Hashable:
    """Return a key that is equal for identical inputs: the words of a text, the bytes of an array, a row's cells."""
    if isinstance(value, Mapping):
        return tuple((name, compute_input_key(value[name])) for name in sorted(value))
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if isinstance(value, Hashable):
        return value
    return repr(value)
