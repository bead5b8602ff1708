"""A plugin file with custom sampling strategies: correct ones and an invalid one."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeInt

from mtl_core import hookimpl
from mtl_core.plugins.specs import SamplingSpec


class FixedShares(SamplingSpec):
    """Fixed shares, independent of the sizes."""

    type: Literal["stated"] = "stated"
    values: list[float]
    """One share per data set."""

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        return self.values


class Sequential(SamplingSpec):
    """Overrides the draws: all of the first data set, then all of the second, and so on."""

    type: Literal["by-turns"] = "by-turns"

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        raise AssertionError("this strategy overrides the draws")

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> Any:
        position = np.array(steps) % sum(batches)
        return np.searchsorted(np.cumsum(batches), position, side="right")


class InvalidSampling(SamplingSpec):
    """Draws an unknown data set, or too few."""

    type: Literal["wrong"] = "wrong"
    draw: int
    """The index that it draws."""
    short_of: NonNegativeInt = 0
    """Number of missing draws."""

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        raise AssertionError("this strategy overrides the draws")

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> Any:
        return np.full(len(steps) - self.short_of, self.draw)


@hookimpl
def mtl_samplings() -> list[type[SamplingSpec]]:
    return [FixedShares, Sequential, InvalidSampling]
