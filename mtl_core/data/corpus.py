"""What a loader gives: examples with ids, inputs, and one label column a task."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mtl_core.errors import MtlError, listed

Label = str | int | float
"""One label as it stands in the data."""
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


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
        notice: Something that every output must say about this data, such as that it is a sample.
        findings: What the loader noticed and mended, in sentences for the user.
    """

    ids: Sequence[str]
    inputs: Sequence[object]
    labels: Mapping[str, Sequence[Label | None]]
    parts: Sequence[Part]
    origins: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    notice: str = ""
    findings: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not self.groups:
            object.__setattr__(self, "groups", [input_key(value) for value in self.inputs])
        if not self.origins:
            object.__setattr__(self, "origins", [f"example {name}" for name in self.ids])
        lengths = {
            "inputs": len(self.inputs),
            "parts": len(self.parts),
            "origins": len(self.origins),
            "groups": len(self.groups),
            **{f"labels of '{name}'": len(column) for name, column in self.labels.items()},
        }
        for name, length in lengths.items():
            if length != len(self.ids):
                raise MtlError(f"a loader gave {len(self.ids)} ids but {length} {name}")
        for part in set(self.parts) - set(PARTS):
            raise MtlError(f"a loader put an example into the part {part!r}; parts are {listed(PARTS)}")
        for name, column in self.labels.items():
            for origin, label in zip(self.origins, column, strict=True):
                _check_label(name, label, origin)
        seen: dict[tuple[Part, str], int] = {}
        for index, key in enumerate(zip(self.parts, self.ids, strict=True)):
            if key in seen:
                raise MtlError(f"{self.origins[index]}: the id '{key[1]}' is taken ({self.origins[seen[key]]})")
            seen[key] = index

    def __len__(self) -> int:
        return len(self.ids)

    def text(self, index: int) -> str:
        """The example as a person would read it; empty if its input is not a text."""
        value = self.inputs[index]
        return value if isinstance(value, str) else ""

    def rows(self, part: Part) -> list[int]:
        """Indices of the examples that the data puts in a part."""
        return [index for index, found in enumerate(self.parts) if found == part]


def _check_label(column: str, label: object, origin: str) -> None:
    if label is None:
        return
    if not isinstance(label, str | int | float) or label == "" or label != label:
        found = "an empty text" if label == "" else repr(label)
        raise MtlError(
            f"{origin}: the label '{column}' is {found}, expected a text or a number (a missing label is None)"
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
