"""The encoder of dates."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.builtins.encoders.modules.masked_values import RunningMoments, build_values_layer
from mtl_core.data.column_encoder import ALL_MISSING, ColumnEncoder
from mtl_core.data.column_types import parse_cell
from mtl_core.errors import MtlError

CYCLES: Mapping[str, Callable[[datetime], float]] = {
    "month": lambda date: (date.month - 1) / 12,
    "day": lambda date: (date.day - 1) / 31,
    "weekday": lambda date: date.weekday() / 7,
    "hour": lambda date: (date.hour + date.minute / 60) / 24,
}
"""Cyclic feature to the position of a date in its cycle, from 0 to 1."""


class DateEncoder(ColumnEncoder[datetime | None, NDArray[np.float32]]):
    """Encoder of dates. Items are the features, `(features,)`, NaN where the date is missing.

    Args:
        features: `time` and the names of `CYCLES`.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._features = features
        self._moments = RunningMoments()
        self._mean, self._scale = 0.0, 1.0
        self._has_missing = False

    @property
    def _width(self) -> int:
        return sum(1 if name == "time" else 2 for name in self._features)

    def parse(self, inputs: Sequence[Any]) -> list[datetime | None]:
        """Parse dates: texts in ISO 8601 format, and dates of Python, NumPy and pandas.

        Raises:
            MtlError: If an input is no date.
        """
        texts = [parse_cell(value, "date") for value in inputs]
        return [None if text is None else datetime.fromisoformat(text).replace(tzinfo=None) for text in texts]

    def partial_fit(self, parsed: datetime | None) -> None:
        """Update mean and standard deviation of the time."""
        self._has_missing = self._has_missing or parsed is None
        if parsed is not None:
            self._moments.update(_compute_years(parsed))

    def finish_fit(self) -> None:
        """Set mean and standard deviation of the time."""
        if not self._moments.count:
            raise MtlError(ALL_MISSING)
        self._mean, self._scale = self._moments.mean, self._moments.scale
        self._moments = RunningMoments()

    def encode(self, parsed: Sequence[datetime | None]) -> list[NDArray[np.float32]]:
        """Compute the features of dates."""
        return [self._compute_features(date) for date in parsed]

    def _compute_features(self, date: datetime | None) -> NDArray[np.float32]:
        if date is None:
            return np.full(self._width, np.nan, dtype=np.float32)
        values = []
        for name in self._features:
            if name == "time":
                values.append((_compute_years(date) - self._mean) / self._scale)
            else:
                angle = 2 * math.pi * CYCLES[name](date)
                values += [math.sin(angle), math.cos(angle)]
        return np.array(values, dtype=np.float32)

    def collate(self, items: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        """Stack features to `(batch, features)`, float32."""
        return torch.from_numpy(np.stack(items))

    def input_layer(self) -> nn.Module:
        """Build the layer with the learned values of missing dates."""
        return build_values_layer(self._width, self._has_missing)

    def state(self) -> dict[str, Any]:
        """Return mean and standard deviation of the time."""
        return {"mean": self._mean, "scale": self._scale, "has_missing": self._has_missing}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set mean and standard deviation of the time."""
        self._mean, self._scale = state["mean"], state["scale"]
        self._has_missing = state["has_missing"]


def _compute_years(date: datetime) -> float:
    """Return the time in years of 365.2425 days."""
    seconds = date.hour * 3600 + date.minute * 60 + date.second
    return (date.toordinal() + seconds / 86400) / 365.2425
