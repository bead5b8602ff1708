"""Standardisation of descriptors, in which some values are missing and some are far outliers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

MAX_DEVIATIONS = 6.0
"""Bound of standardised descriptors, in standard deviations: descriptors such as `Ipc` grow exponentially with size."""


class DescriptorScaling:
    """Mean and standard deviation of each descriptor over the training molecules that have it.

    A descriptor that is constant or missing in the training molecules is always 0.
    """

    def __init__(self) -> None:
        self._mean = np.zeros(0)
        self._scale = np.zeros(0)

    def fit(self, rows: Iterable[NDArray[np.float32]]) -> None:
        """Compute mean and standard deviation."""
        table = np.stack(list(rows)).astype(np.float64)
        is_missing = np.isnan(table)
        counts = np.maximum((~is_missing).sum(axis=0), 1)
        self._mean = np.where(is_missing, 0, table).sum(axis=0) / counts
        deviations = np.where(is_missing, 0, table - self._mean)
        varies = np.where(is_missing, -np.inf, table).max(axis=0) > np.where(is_missing, np.inf, table).min(axis=0)
        self._scale = np.where(varies, np.sqrt((deviations**2).sum(axis=0) / counts), np.inf)

    def build_layer(self) -> StandardisedDescriptors:
        """Build the layer that standardises."""
        return StandardisedDescriptors(torch.tensor(self._mean), torch.tensor(1 / self._scale))

    def state(self) -> dict[str, Any]:
        """Return mean and scale; the scale of a constant descriptor is 0, since JSON has no infinity."""
        return {
            "mean": self._mean.tolist(),
            "scale": np.where(np.isinf(self._scale), 0, self._scale).tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set mean and scale."""
        scale = np.array(state["scale"])
        self._mean, self._scale = np.array(state["mean"]), np.where(scale == 0, np.inf, scale)


class StandardisedDescriptors(nn.Module):
    """Standardises descriptors `(batch, descriptors)`; missing ones become 0, outliers are clipped.

    Args:
        mean: `(descriptors,)`, float64.
        inverse_scale: `(descriptors,)`, float64; 0 for descriptors that are ignored.
    """

    mean: torch.Tensor
    inverse_scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, inverse_scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("inverse_scale", inverse_scale)

    def forward(self, descriptors: torch.Tensor) -> torch.Tensor:
        """Return `(batch, descriptors)`, float32."""
        standardised = ((descriptors.double() - self.mean) * self.inverse_scale).nan_to_num(nan=0.0)
        return standardised.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS).float()
