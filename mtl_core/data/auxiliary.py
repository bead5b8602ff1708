"""What an auxiliary task is made of, and what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder

if TYPE_CHECKING:
    from mtl_core.specs import HeadSpec, TaskKindSpec


@dataclass(frozen=True)
class AuxiliaryData:
    """What labels can be derived from.

    Attributes:
        corpus: All examples.
        tasks: Name of each main task to its label column; None where an example has no label.
        encoder: Analyses inputs; it is fitted.
        parsed: Every example's input as the encoder analysed it.
        train: `(rows,)`, int64: the training examples, the only ones to learn anything from.
    """

    corpus: Corpus
    tasks: Mapping[str, Sequence[Label | None]]
    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    train: NDArray[np.int64]

    def words(self, row: int) -> list[str]:
        """The words of an example, as a person wrote them."""
        return self.encoder.words(self.parsed[row])


@dataclass(frozen=True)
class AuxiliaryTask:
    """A task that an auxiliary task's spec made.

    Attributes:
        name: Its name; that of the spec, or that and a word more if it makes several.
        kind: What the labels are.
        head: Learns them.
        labels: One an example, None where there is none; empty if the kind makes them from the inputs.
        notes: What the user should know, such as which words were chosen.
    """

    name: str
    kind: TaskKindSpec
    head: HeadSpec
    labels: Sequence[Label | None] = ()
    notes: Sequence[str] = ()
