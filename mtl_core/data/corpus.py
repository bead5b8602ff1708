"""What a loader gives: examples with ids, inputs, and one label column a task."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.columns import CheckedColumn, DistinctIds, distinct, rows_with
from mtl_core.errors import MtlError, listed

Scalar = str | int | float
Label = Scalar | Sequence[Scalar | None]
"""One label as it stands in the data: a word, a number, or a list of them (several labels, one a token)."""
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Span:
    """A stretch of a text that somebody has marked.

    Attributes:
        start: Its first character.
        end: The character behind its last one.
        label: As what it is marked; None where that is not known.
    """

    start: int
    end: int
    label: str | None


@dataclass(frozen=True)
class Corpus:
    """Examples, in a fixed order.

    A missing label is None and never a class. Examples whose `groups` entry is equal (identical inputs, by
    default) are never divided between training and validation.

    Attributes:
        ids: One id an example, unique within its part.
        inputs: What the encoder reads: texts, arrays, anything.
        labels: Column name to one label (or None) an example.
        parts: The part that the data itself puts each example in; a splitter divides only `train`.
        origins: Where each example stands, for messages (`train.xml:17: sentence 813`).
        groups: One hashable an example.
        weights: Column name to how much each example's label counts in that column's loss; 1 where nothing is said.
        sources: The data set that each example comes from, if there are several.
        spans: Name of what is marked to the marked stretches of each input, a text; None where nobody looked.
        notice: Something that every output must say about this data, such as that it is a sample.
        findings: What the loader noticed and mended, in sentences for the user.
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
                raise MtlError(f"a loader gave {len(self.ids)} ids but {length} {name}")
        for part in distinct(self.parts):
            if part not in PARTS:
                raise MtlError(f"a loader put an example into the part {part!r}; parts are {listed(PARTS)}")
        for name, column in self.labels.items():
            self._check_labels(name, column)
        for name, weights in self.weights.items():
            if name not in self.labels:
                raise MtlError(f"a loader gave weights for '{name}', which is no label column")
            _check_weights(name, weights, self.origins)
        if not isinstance(self.ids, DistinctIds):
            self._check_ids()

    def _check_labels(self, name: str, column: Sequence[Label | None]) -> None:
        found: Mapping[Label | None, int] = {}
        try:
            found = {} if isinstance(column, CheckedColumn) else distinct(column)
        except MtlError:  # a value of a type that no label has: look for it, to say where it stands
            for row, label in enumerate(column):
                _check_label(name, label, self.origins[row])
        for label, row in found.items():
            _check_label(name, label, self.origins[row])

    def _check_ids(self) -> None:
        seen: dict[tuple[Part, str, str], int] = {}
        sources = self.sources or [""] * len(self)
        for index, key in enumerate(zip(self.parts, sources, self.ids, strict=True)):
            if key in seen:
                raise MtlError(f"{self.origins[index]}: the id '{key[2]}' is taken ({self.origins[seen[key]]})")
            seen[key] = index

    def __len__(self) -> int:
        return len(self.ids)

    def text(self, index: int) -> str:
        """The example as a person would read it; empty if its input is not a text."""
        value = self.inputs[index]
        if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
            return " ".join(value)
        return value if isinstance(value, str) else ""

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Indices of the examples that the data puts in a part."""
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
    with np.errstate(over="ignore"):  # what 32 bits cannot hold becomes infinite, and is refused
        bad = np.flatnonzero(~np.isfinite(table.astype(np.float32)) | (table < 0))
    if len(bad):
        raise MtlError(
            f"{origins[bad[0]]}: the weight of '{column}' is {table[bad[0]]:g}, expected a number from 0 on"
        )


def input_key(value: object) -> Hashable:
    """Reduce an input to what makes it the same as another: a text's words, an array's bytes."""
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if isinstance(value, Hashable):
        return value
    return repr(value)
