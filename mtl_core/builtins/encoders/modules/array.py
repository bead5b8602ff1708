"""The encoder of numeric arrays and its input layer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.data.array_rows import ArrayRows, stack_rows
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape


class ArrayInput(nn.Module):
    """Input layer that standardises arrays `(batch, width)` to pooled `Features`."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.output = FeatureShape(len(mean), sequence=False)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, values: torch.Tensor) -> Features:
        """Standardise values `(batch, width)`."""
        return Features((values - self.mean) / self.scale)


Row = NDArray[np.float32]


class StandardisedArrays(Encoder[Row, Row]):
    """Encoder that flattens arrays and standardises their columns.

    Args:
        standardise: Whether columns are scaled to mean 0 and standard deviation 1.
    """

    def __init__(self, standardise: bool) -> None:
        self.standardise = standardise
        self._mean: Row = np.zeros(0, dtype=np.float32)
        self._scale: Row = np.ones(0, dtype=np.float32)

    def parse(self, inputs: Sequence[Any]) -> Sequence[Row]:
        """Flatten arrays, and store them as rows of one table.

        Raises:
            MtlError: If a value is no finite number, or widths differ.
        """
        if isinstance(inputs, ArrayRows):
            if not np.isfinite(inputs.table).all():
                raise MtlError("the encoder 'array' found a number that is not finite")
            return inputs
        rows: list[Row] = []
        for value in inputs:
            try:
                with np.errstate(over="ignore"):  # too large values become infinite, and are rejected below
                    row = np.asarray(value, dtype=np.float32).reshape(-1)
            except (TypeError, ValueError) as error:
                raise MtlError(
                    f"the encoder 'array' reads arrays of numbers, found {type(value).__name__}: {error}"
                ) from error
            if not np.isfinite(row).all():
                raise MtlError("the encoder 'array' found a number that is not finite")
            if rows and len(row) != len(rows[0]):
                raise MtlError(f"the encoder 'array' found inputs of {len(rows[0])} and of {len(row)} numbers")
            rows.append(row)
        return stack_rows(rows)

    def fit(self, parsed: Iterable[Row]) -> None:
        """Compute mean and standard deviation per column; a constant column stays unscaled."""
        table = parsed.table if isinstance(parsed, ArrayRows) else np.stack(list(parsed))
        self._mean = np.zeros(table.shape[1], dtype=np.float32)
        self._scale = np.ones(table.shape[1], dtype=np.float32)
        if self.standardise:
            # In float64, and by comparison: rounding errors would give a constant column a tiny deviation.
            constant = table.max(axis=0) == table.min(axis=0)
            self._mean = table.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._scale = np.where(constant, 1, table.std(axis=0, dtype=np.float64)).astype(np.float32)

    def encode(self, parsed: Sequence[Row]) -> Sequence[Row]:
        """Check the width; the input layer does the scaling."""
        for row in parsed[:1] if isinstance(parsed, ArrayRows) else parsed:
            if len(row) != len(self._mean):
                raise MtlError(f"an input has {len(row)} numbers, training inputs had {len(self._mean)}")
        return parsed if isinstance(parsed, ArrayRows) else list(parsed)

    def collate(self, items: Sequence[Row]) -> torch.Tensor:
        """Stack rows to `(batch, width)`, float32."""
        return torch.from_numpy(items.table if isinstance(items, ArrayRows) else np.stack(items))

    def input_layer(self) -> nn.Module:
        """Build the layer that standardises."""
        return ArrayInput(torch.tensor(self._mean), torch.tensor(self._scale))

    def state(self) -> dict[str, Any]:
        """Return mean and standard deviation."""
        return {"mean": self._mean.tolist(), "scale": self._scale.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load mean and standard deviation."""
        self._mean = np.array(state["mean"], dtype=np.float32)
        self._scale = np.array(state["scale"], dtype=np.float32)
