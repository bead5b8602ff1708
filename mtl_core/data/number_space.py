"""Labels that are numbers, and how they are scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Label, Scalar
from mtl_core.data.label_space import LabelSpace, shown
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import torch

LARGEST = float(np.finfo(np.float32).max)
"""The largest number of 32 bits."""


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
            raise MtlError(f"{origins[index]}: the label {shown(labels[index])!r} is too large beside the others")
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
            raise MtlError(f"{origins[index]}: the label {shown(member)!r} is not a number") from None
        if member is not None and np.isnan(number):
            raise MtlError(f"{origins[index]}: the label {shown(member)!r} is not a number")
        if abs(number) > LARGEST:
            raise MtlError(f"{origins[index]}: the label {shown(member)!r} is too large a number")
        row.append(number)
    return row
