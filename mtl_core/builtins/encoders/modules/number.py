"""The encoder of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from mtl_core.builtins.encoders.modules.masked_values import RunningMoments, build_values_layer
from mtl_core.data.column_encoder import ALL_MISSING, ColumnEncoder
from mtl_core.data.column_types import parse_cell
from mtl_core.errors import MtlError

MAX_STANDARDISED = 1e6
"""Bound of standardised numbers, in standard deviations; larger ones would make activations infinite."""


class NumberEncoder(ColumnEncoder[float | None, float]):
    """Encoder of numbers. Items are standardised numbers, NaN where the number is missing.

    Args:
        standardise: Whether numbers are scaled to mean 0 and standard deviation 1.
    """

    def __init__(self, standardise: bool) -> None:
        self._standardise = standardise
        self._moments = RunningMoments()
        self._mean, self._scale = 0.0, 1.0
        self._has_missing = False

    def parse(self, inputs: Sequence[Any]) -> list[float | None]:
        """Parse numbers; None and NaN are missing.

        Raises:
            MtlError: If an input is no number.
        """
        return [parse_cell(value, "number") for value in inputs]

    def partial_fit(self, parsed: float | None) -> None:
        """Update mean and standard deviation."""
        self._has_missing = self._has_missing or parsed is None
        if parsed is not None:
            self._moments.update(parsed)

    def finish_fit(self) -> None:
        """Set mean and standard deviation."""
        if not self._moments.count:
            raise MtlError(ALL_MISSING)
        if self._standardise:
            self._mean, self._scale = self._moments.mean, self._moments.scale
        self._moments = RunningMoments()

    def encode(self, parsed: Sequence[float | None]) -> list[float]:
        """Standardise numbers."""
        return [np.nan if value is None else self._standardise_number(value) for value in parsed]

    def _standardise_number(self, number: float) -> float:
        standardised = (number - self._mean) / self._scale
        if not self._standardise:
            return standardised
        return min(max(standardised, -MAX_STANDARDISED), MAX_STANDARDISED)

    def collate(self, items: Sequence[float]) -> torch.Tensor:
        """Return the numbers, `(batch, 1)`, float32."""
        return torch.tensor(items, dtype=torch.float32).unsqueeze(1)

    def input_layer(self) -> nn.Module:
        """Build the layer, with the learned value of missing numbers."""
        return build_values_layer(1, self._has_missing)

    def state(self) -> dict[str, Any]:
        """Return mean and standard deviation."""
        return {"mean": self._mean, "scale": self._scale, "has_missing": self._has_missing}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set mean and standard deviation."""
        self._mean, self._scale = state["mean"], state["scale"]
        self._has_missing = state["has_missing"]
