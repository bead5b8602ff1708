"""Numeric labels and their standardisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.column_operations import convert_to_numbers
from mtl_core.data.corpus import Label, Scalar
from mtl_core.data.label_space import LabelSpace, truncate
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import torch

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""The largest finite float32."""


class NumberSpace(LabelSpace):
    """Numeric labels, one or several numbers per label, standardised with the training labels.

    Args:
        mean: `(outputs,)`: the numbers that are subtracted.
        scale: `(outputs,)`: the numbers to divide by.
        vector: Whether a label is a list of numbers.
        training_mean: `(outputs,)`: the mean of the training labels, which the baseline predicts; the default is
            `mean`.

    Attributes:
        is_constant: Whether all training labels are equal; False for a restored space.
    """

    def __init__(
        self,
        mean: Sequence[float],
        scale: Sequence[float],
        vector: bool,
        training_mean: Sequence[float] | None = None,
    ) -> None:
        self.mean = np.asarray(mean, dtype=np.float64)
        self.scale = np.asarray(scale, dtype=np.float64)
        self.vector = vector
        self.is_constant = False
        self.training_mean = self.mean if training_mean is None else np.asarray(training_mean, dtype=np.float64)

    @classmethod
    def fit(
        cls, training_labels: Sequence[Label], vector: bool, standardise: bool, locations: Sequence[str] = ()
    ) -> NumberSpace:
        """Fit mean and standard deviation; a constant number is only centred.

        Args:
            training_labels: The training labels.
            vector: Whether a label is a list of numbers.
            standardise: Whether to standardise; if False, the numbers stay unchanged.
            locations: The location of each label.

        Raises:
            MtlError: If there is no label, if a label is not a number, or if lists differ in length.
        """
        label_locations = (
            locations if len(locations) else [f"training label {index + 1}" for index in range(len(training_labels))]
        )
        table = _build_table(training_labels, label_locations)
        width = table.shape[1]
        if not vector and width != 1:
            raise MtlError(f"labels are lists of {width} numbers, expected one number (`outputs: {width}` allows it)")
        if np.isnan(table).all(axis=0).any():
            raise MtlError("no training label has this number, so it has no scale")
        training_mean = np.nanmean(table, axis=0)
        mean, scale = np.zeros(width), np.ones(width)
        constant = np.nanmax(table, axis=0) == np.nanmin(table, axis=0)
        if standardise:
            deviation = np.nanstd(table, axis=0)
            # Rounding: equal numbers can have a tiny deviation, and nearly equal ones a deviation of 0.
            mean, scale = training_mean, np.where(constant | (deviation == 0), 1.0, deviation)
        space = cls(mean.tolist(), scale.tolist(), vector, training_mean.tolist())
        space.is_constant = bool(constant.all())
        return space

    def encode(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[np.float32]:
        """Standardise numbers: `(examples,)` or `(examples, outputs)`, float32; NaN for a missing label."""
        numbers = convert_to_numbers(labels) if len(self.mean) == 1 else None
        table = self._parse_rows(labels, locations) if numbers is None else numbers[:, None]
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite and is rejected below
            scaled = ((table - self.mean) / self.scale).astype(np.float32)
        out_of_range = np.flatnonzero(np.isinf(scaled).any(axis=1))
        if len(out_of_range):
            index = int(out_of_range[0])
            raise MtlError(f"{locations[index]}: the label {truncate(labels[index])!r} is too large after scaling")
        return scaled if self.vector else scaled[:, 0]

    def _parse_rows(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[np.float64]:
        table = np.full((len(labels), len(self.mean)), np.nan)
        for index, label in enumerate(labels):
            if label is not None:
                row = parse_numbers(label, locations, index)
                if len(row) != len(self.mean):
                    raise MtlError(f"{locations[index]}: found {len(row)} numbers, expected {len(self.mean)}")
                table[index] = row
        return table

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which targets contain at least one number, `(batch, tasks)`, bool."""
        present = ~targets.isnan()
        return present.any(dim=-1) if self.vector else present

    def state(self) -> dict[str, Any]:
        """Return mean, scale and the other constructor arguments."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "vector": self.vector,
            "typical": self.training_mean.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> NumberSpace:
        """Restore the space."""
        return cls(state["mean"], state["scale"], state["vector"], state["typical"])


def _build_table(labels: Sequence[Label], locations: Sequence[str]) -> NDArray[np.float64]:
    """Return labels as rows of numbers, `(labels, numbers)`, float64.

    Raises:
        MtlError: If there is no label, a label is not a number, or lists differ in length.
    """
    numbers = convert_to_numbers(labels)
    if numbers is not None and len(numbers):
        return numbers[:, None]
    rows = [parse_numbers(label, locations, index) for index, label in enumerate(labels)]
    width = max(map(len, rows), default=0)
    if not width:
        raise MtlError("there is no training label to compute the scale of the numbers from")
    mismatch_index = next((index for index, row in enumerate(rows) if len(row) != width), None)
    if mismatch_index is not None:
        raise MtlError(
            f"{locations[mismatch_index]}: found {len(rows[mismatch_index])} numbers, "
            f"expected {width} as in other labels"
        )
    return np.array(rows, dtype=np.float64)


def parse_numbers(label: Label, locations: Sequence[str], index: int) -> list[float]:
    """Convert a label to a list of numbers; a missing member becomes NaN.

    Args:
        label: The label.
        locations: The location of each label.
        index: The index of the label in `locations`.

    Raises:
        MtlError: If the label is not a number, or if it exceeds the range of float32.
    """
    members = label if isinstance(label, list | tuple) else [label]
    row = []
    for member in members:
        try:
            number = float("nan") if member is None else float(cast("Scalar", member))
        except OverflowError:
            number = float("inf")
        except (TypeError, ValueError):
            raise MtlError(f"{locations[index]}: the label {truncate(member)!r} is not a number") from None
        if member is not None and np.isnan(number):
            raise MtlError(f"{locations[index]}: the label {truncate(member)!r} is not a number")
        if abs(number) > FLOAT32_MAX:
            raise MtlError(f"{locations[index]}: the label {truncate(member)!r} is too large a number")
        row.append(number)
    return row
