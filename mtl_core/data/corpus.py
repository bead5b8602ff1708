"""The corpus that a loader returns: examples with ids, inputs and label columns."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.columns import CheckedColumn, DistinctIds, distinct, rows_with
from mtl_core.errors import MtlError, listed

Scalar = str | int | float
Label = Scalar | Sequence[Scalar | None]
"""One raw label: a text, a number, or a list of these (several labels, or one label per token)."""
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


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
        inputs: One input per example: a text, an array, any type that the encoder supports.
        labels: Mapping of column name to one label (or None) per example.
        parts: The predefined split of each example; a splitter divides only `train`.
        origins: The location of each example, for messages (`train.xml:17: sentence 813`).
        groups: One hashable per example.
        weights: Mapping of column name to one weight per example in that column's loss; the default is 1.
        sources: The data set of each example, if there are several.
        spans: Mapping of annotation name to the annotated spans of each input text; None for an input without
            annotation.
        notice: A disclaimer that every output about this data must contain, such as that it is a sample.
        findings: Warnings for the user about problems that the loader found and fixed.
    """

    ids: Sequence[str]
    inputs: Sequence[object]
    labels: Mapping[str, Sequence[Label | None]]
    parts: Sequence[Part]
    origins: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    sources: Sequence[str] = ()
    spans: Mapping[str, Sequence[Sequence[Span] | None]] = field(default_factory=dict)
    notice: str = ""
    findings: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not len(self.groups):
            object.__setattr__(self, "groups", [input_key(value) for value in self.inputs])
        if not len(self.origins):
            object.__setattr__(self, "origins", [f"example {name}" for name in self.ids])
        lengths = {
            "inputs": len(self.inputs),
            "parts": len(self.parts),
            "origins": len(self.origins),
            "groups": len(self.groups),
            "sources": len(self.sources) or len(self.ids),
            **{f"labels of '{name}'": len(column) for name, column in self.labels.items()},
            **{f"weights of '{name}'": len(column) for name, column in self.weights.items()},
            **{f"spans of '{name}'": len(column) for name, column in self.spans.items()},
        }
        for name, length in lengths.items():
            if length != len(self.ids):
                raise MtlError(f"a loader returned {len(self.ids)} ids but {length} {name}")
        for part in distinct(self.parts):
            if part not in PARTS:
                raise MtlError(f"a loader assigned an example to the split {part!r}; splits are {listed(PARTS)}")
        for name, column in self.labels.items():
            self._check_labels(name, column)
        for name, weights in self.weights.items():
            if name not in self.labels:
                raise MtlError(f"a loader returned weights for '{name}', which is no label column")
            _check_weights(name, weights, self.origins)
        if not isinstance(self.ids, DistinctIds):
            self._check_ids()

    def _check_labels(self, name: str, column: Sequence[Label | None]) -> None:
        found: Mapping[Label | None, int] = {}
        try:
            found = {} if isinstance(column, CheckedColumn) else distinct(column)
        except MtlError:  # the type of a value is not a label type: find the value, to report its location
            for row, label in enumerate(column):
                _check_label(name, label, self.origins[row])
        for label, row in found.items():
            _check_label(name, label, self.origins[row])

    def _check_ids(self) -> None:
        seen: dict[tuple[Part, str, str], int] = {}
        sources = self.sources or [""] * len(self)
        for index, key in enumerate(zip(self.parts, sources, self.ids, strict=True)):
            if key in seen:
                raise MtlError(f"{self.origins[index]}: duplicate id '{key[2]}' ({self.origins[seen[key]]})")
            seen[key] = index

    def __len__(self) -> int:
        return len(self.ids)

    def text(self, index: int) -> str:
        """Return the readable text of an example; an empty string if its input is not a text."""
        value = self.inputs[index]
        if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
            return " ".join(value)
        return value if isinstance(value, str) else ""

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Return the indices of the examples of a predefined split, `(rows,)`, int64."""
        return rows_with(self.parts, part)


def _check_label(column: str, label: object, origin: str) -> None:
    for member in label if isinstance(label, list | tuple) else [label]:
        if member is None or (isinstance(member, str | int | float) and member != "" and member == member):
            continue
        found = "an empty text" if isinstance(member, str) else repr(member)
        raise MtlError(
            f"{origin}: the label '{column}' is {found}, expected a text, a number or a list of them "
            "(a missing label is None)"
        )


def _check_weights(column: str, weights: Sequence[float], origins: Sequence[str]) -> None:
    table = np.asarray(weights, dtype=np.float64)
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite and is rejected below
        bad = np.flatnonzero(~np.isfinite(table.astype(np.float32)) | (table < 0))
    if len(bad):
        raise MtlError(f"{origins[bad[0]]}: the weight of '{column}' is {table[bad[0]]:g}, expected a number >= 0")


def input_key(value: object) -> Hashable:
    """Return a key that is equal for identical inputs: the words of a text, the bytes of an array."""
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if isinstance(value, Hashable):
        return value
    return repr(value)
