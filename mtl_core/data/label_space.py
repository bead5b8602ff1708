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
                f"{origins[index]}: the label '{shown(label)}' is {kind} the task's classes"
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


class DetectionSpace(ClassSpace):
    """Named classes, and behind them one that says that there is nothing.

    Args:
        classes: Names in the order of the outputs.
        nothing: The label that says that there is nothing.
        excluded: Names that a mask leaves out.
    """

    def __init__(self, classes: Sequence[str], nothing: str, excluded: Iterable[str] = ()) -> None:
        super().__init__([*classes, nothing], excluded)
        self.nothing = nothing


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


def members(label: Label) -> Sequence[Scalar]:
    """The single labels of a label: its members if it is a list, missing ones left out."""
    if isinstance(label, list | tuple):
        return [member for member in label if member is not None]
    return [cast("Scalar", label)]  # a str is one label, not a sequence of letters


def data_label(label: Label | None, excluded: frozenset[str]) -> bool:
    """Whether a label is there and says something to its task."""
    return label is not None and (isinstance(label, list | tuple) or str(label) not in excluded)


def shown(label: object) -> str:
    """A label for a message, cut if it is long."""
    text = str(label)
    return text if len(text) <= 60 else text[:57] + "..."
