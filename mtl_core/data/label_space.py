"""What a task's labels can be, and how they become numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Label, Scalar
from mtl_core.errors import MtlError, did_you_mean, listed

if TYPE_CHECKING:
    import torch

MISSING = -1
"""The code of a label that is not there."""


@dataclass(frozen=True)
class FoundLabels:
    """What a label space can be made of.

    Attributes:
        known: Labels of training and validation data.
        training: Labels of training data alone: the only ones to learn a scale or a frequency from. Where tokens
            are labelled, those of the tokens that the network reads.
        excluded: Labels that the task's mask leaves out.
        vocabulary: Names of the encoder's token ids, frequent ones first; empty if inputs are no tokens.
        origins: Where each of the training labels stands, for messages.
    """

    known: Sequence[Label]
    training: Sequence[Label]
    excluded: frozenset[str] = frozenset()
    vocabulary: Sequence[str] = ()
    origins: Sequence[str] = ()


class LabelSpace(ABC):
    """The labels of one task.

    Attributes:
        classes: Names of the classes, in the order of the outputs; empty if labels are numbers.
    """

    classes: Sequence[str] = ()

    @abstractmethod
    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[Any]:
        """Turn labels into targets `(labels, ...)`: `MISSING` or NaN for None.

        For a task that labels tokens, these are the labels of one token each.

        Raises:
            MtlError: If a label lies outside the space; `origins` says where it stands.
        """

    def observed(self, targets: torch.Tensor) -> torch.Tensor:
        """Say which targets of a batch hold a label: `(batch, tasks)`, or `(batch, tasks, length)` for tokens."""
        return ~targets.isnan() if targets.is_floating_point() else targets >= 0

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `TaskKindSpec.restore_space` needs to make this space again, as JSON."""


class ClassSpace(LabelSpace):
    """Named classes, and names that are labels but never classes (such as "absent").

    Classes have the codes `0 … len(classes) - 1`, excluded labels the codes above.

    Args:
        classes: Names in the order of the outputs.
        excluded: Names that a mask leaves out.
    """

    def __init__(self, classes: Sequence[str], excluded: Iterable[str] = ()) -> None:
        self.classes = tuple(classes)
        self.excluded = tuple(sorted(set(excluded) - set(self.classes)))
        self._codes = {name: code for code, name in enumerate((*self.classes, *self.excluded))}

    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[Any]:
        """Turn class names into codes `(examples,)`, int64."""
        codes = np.full(len(labels), MISSING, dtype=np.int64)
        for index, label in enumerate(labels):
            if label is not None:
                codes[index] = self.code(label, origins, index)
        return codes

    def code(self, label: Label, origins: Sequence[str], index: int) -> int:
        """Look one label up.

        Raises:
            MtlError: If it is no class.
        """
        code = self._codes.get(str(label))
        if code is None:
            kind = "a list, expected one of" if isinstance(label, list | tuple) else "none of"
            raise MtlError(
                f"{origins[index]}: the label '{_shown(label)}' is {kind} the task's classes"
                f"{did_you_mean(str(label), self._codes)} (classes: {listed(self.classes)})"
            )
        return code

    def state(self) -> dict[str, Any]:
        """Classes and excluded labels."""
        return {"classes": list(self.classes), "excluded": list(self.excluded)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassSpace:
        """Make the space again."""
        return cls(state["classes"], state["excluded"])


class MultiLabelSpace(ClassSpace):
    """Any number of named classes at once: a label is a list of them, an empty one if there is none."""

    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[Any]:
        """Turn lists of names into indicators `(examples, classes)`, int8; a row of -1 where there is no list."""
        table = np.full((len(labels), len(self.classes)), MISSING, dtype=np.int8)
        for index, label in enumerate(labels):
            if label is None:
                continue
            table[index] = 0
            for member in members(label):
                code = self.code(member, origins, index)
                if code < len(self.classes):
                    table[index, code] = 1
        return table

    def observed(self, targets: torch.Tensor) -> torch.Tensor:
        """Rows that hold a list, `(batch, tasks)`."""
        return (targets >= 0).any(dim=-1)


class NumberSpace(LabelSpace):
    """Numbers, one or several a label, standardised by the training labels.

    Args:
        mean: `(outputs,)`: subtracted.
        scale: `(outputs,)`: divided by.
        vector: Whether a label is a list of numbers.
        typical: `(outputs,)`: the mean of the training labels, which is what a baseline says; `mean` if left out.
    """

    def __init__(
        self, mean: Sequence[float], scale: Sequence[float], vector: bool, typical: Sequence[float] | None = None
    ) -> None:
        self.mean = np.asarray(mean, dtype=np.float64)
        self.scale = np.asarray(scale, dtype=np.float64)
        self.vector = vector
        self.typical = self.mean if typical is None else np.asarray(typical, dtype=np.float64)

    @classmethod
    def learned(
        cls, training: Sequence[Label], vector: bool, standardise: bool, origins: Sequence[str] = ()
    ) -> NumberSpace:
        """Learn mean and deviation; a number that never changes is only centred.

        Args:
            training: The labels.
            vector: Whether a label is a list of numbers.
            standardise: Whether to learn anything; if not, numbers stay as they are.
            origins: Where each label stands.

        Raises:
            MtlError: If there is no label, a label is no number, or lists differ in length.
        """
        places = origins if len(origins) else [f"training label {place + 1}" for place in range(len(training))]
        rows = [number_row(label, places, place) for place, label in enumerate(training)]
        width = max(map(len, rows), default=0)
        if not width:
            raise MtlError("no training label, so the numbers have no scale")
        odd = next((place for place, row in enumerate(rows) if len(row) != width), None)
        if odd is not None:
            raise MtlError(
                f"{places[odd]}: found {len(rows[odd])} numbers, elsewhere {width}; all must have as many"
            )
        if not vector and width != 1:
            raise MtlError(
                f"labels are lists of {width} numbers, expected one number (`outputs: {width}` allows it)"
            )
        table = np.array(rows, dtype=np.float64)
        if np.isnan(table).all(axis=0).any():
            raise MtlError("no training label has this number, so it has no scale")
        typical = np.nanmean(table, axis=0)
        mean, scale = np.zeros(width), np.ones(width)
        if standardise:
            deviation = np.nanstd(table, axis=0)
            # Rounding gives equal numbers a tiny deviation, and nearly equal tiny ones none.
            constant = (np.nanmax(table, axis=0) == np.nanmin(table, axis=0)) | (deviation == 0)
            mean, scale = typical, np.where(constant, 1.0, deviation)
        return cls(mean.tolist(), scale.tolist(), vector, typical.tolist())

    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[np.float32]:
        """Turn numbers into standardised ones, `(examples,)` or `(examples, outputs)`, float32; NaN if missing."""
        table = np.full((len(labels), len(self.mean)), np.nan)
        for index, label in enumerate(labels):
            if label is not None:
                row = number_row(label, origins, index)
                if len(row) != len(self.mean):
                    raise MtlError(f"{origins[index]}: found {len(row)} numbers, expected {len(self.mean)}")
                table[index] = row
        with np.errstate(over="ignore"):  # what 32 bits cannot hold becomes infinite, and is refused
            scaled = ((table - self.mean) / self.scale).astype(np.float32)
        beyond = np.flatnonzero(np.isinf(scaled).any(axis=1))
        if len(beyond):
            index = int(beyond[0])
            raise MtlError(f"{origins[index]}: the label {_shown(labels[index])!r} is too large beside the others")
        return scaled if self.vector else scaled[:, 0]

    def observed(self, targets: torch.Tensor) -> torch.Tensor:
        """Labels of which at least one number is there."""
        present = ~targets.isnan()
        return present.any(dim=-1) if self.vector else present

    def state(self) -> dict[str, Any]:
        """Means and scale."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "vector": self.vector,
            "typical": self.typical.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> NumberSpace:
        """Make the space again."""
        return cls(state["mean"], state["scale"], state["vector"], state["typical"])


def members(label: Label) -> Sequence[Scalar]:
    """The single labels of a label: its members if it is a list, missing ones left out."""
    if isinstance(label, list | tuple):
        return [member for member in label if member is not None]
    return [cast("Scalar", label)]  # a str is one label, not a sequence of letters


LARGEST = float(np.finfo(np.float32).max)
"""The largest number of 32 bits."""


def number_row(label: Label, origins: Sequence[str], index: int) -> list[float]:
    """Read a label as numbers; a missing member becomes NaN.

    Args:
        label: The label.
        origins: Where labels stand.
        index: The label's place among them.

    Raises:
        MtlError: If it is no number, or one that 32 bits cannot hold.
    """
    found = label if isinstance(label, list | tuple) else [label]
    row = []
    for member in found:
        try:
            number = float("nan") if member is None else float(cast("Scalar", member))
        except OverflowError:
            number = float("inf")
        except (TypeError, ValueError):
            raise MtlError(f"{origins[index]}: the label {_shown(member)!r} is not a number") from None
        if member is not None and np.isnan(number):
            raise MtlError(f"{origins[index]}: the label {_shown(member)!r} is not a number")
        if abs(number) > LARGEST:
            raise MtlError(f"{origins[index]}: the label {_shown(member)!r} is too large a number")
        row.append(number)
    return row


def _shown(label: object) -> str:
    text = str(label)
    return text if len(text) <= 60 else text[:57] + "..."
