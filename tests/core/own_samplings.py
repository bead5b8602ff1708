"""A plugin file with sampling strategies of somebody's own: a good one, and wrong ones."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeInt

from mtl_core import hookimpl
from mtl_core.specs import SamplingSpec


class Stated(SamplingSpec):
    """Shares as they are stated, whatever the sizes."""

    type: Literal["stated"] = "stated"
    values: list[float]
    """One a data set."""

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        return self.values


class ByTurns(SamplingSpec):
    """Draws by itself: all of the first data set, then all of the second, and so on."""

    type: Literal["by-turns"] = "by-turns"

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        raise AssertionError("this strategy draws by itself")

    def draws(self, batches: Sequence[int], steps: range, total: int, seed: int) -> Any:
        place = np.array(steps) % sum(batches)
        return np.searchsorted(np.cumsum(batches), place, side="right")


class Wrong(SamplingSpec):
    """Draws what is not there, or not enough."""

    type: Literal["wrong"] = "wrong"
    draw: int
    """What is drawn."""
    short_of: NonNegativeInt = 0
    """How many draws are missing."""

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        raise AssertionError("this strategy draws by itself")

    def draws(self, batches: Sequence[int], steps: range, total: int, seed: int) -> Any:
        return np.full(len(steps) - self.short_of, self.draw)


@hookimpl
def mtl_samplings() -> list[type[SamplingSpec]]:
    return [Stated, ByTurns, Wrong]
