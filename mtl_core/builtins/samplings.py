"""Strategies to sample batches from several data sets, each defined by its sampling proportions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core.plugins.number_fields import Fraction
from mtl_core.plugins.specs import SamplingSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Proportional(SamplingSpec):
    """Sampling proportional to size: an epoch visits every example of every data set once."""

    type: Literal["proportional"] = "proportional"

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return the sizes."""
        return [float(size) for size in batches]


class Uniform(SamplingSpec):
    """Equal sampling of all data sets, in random order: small data sets are repeated."""

    type: Literal["uniform"] = "uniform"

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return equal shares."""
        return [1.0] * len(batches)


class RoundRobin(Uniform):
    """One data set after the other, in the order of the experiment file."""

    type: Literal["round-robin"] = "round-robin"  # type: ignore[assignment]

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        """Return the data set of every step, in turn and across epochs."""
        import numpy as np

        return np.arange(steps.start, steps.stop, dtype=np.int64) % len(batches)


class Temperature(SamplingSpec):
    """Sampling proportional to size to the power of 1 / temperature (Devlin et al., 2018, for languages).

    Temperature 1 equals `proportional`; higher temperatures approach `uniform`.
    """

    type: Literal["temperature"] = "temperature"
    temperature: Annotated[float, Field(ge=1)] = 2.0
    """Temperature; higher values favour small data sets."""

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return the sizes, flattened by the temperature."""
        return [size ** (1 / self.temperature) for size in batches]


class Annealed(SamplingSpec):
    """Annealed sampling: proportional to size at first, nearly uniform at the end (Stickland and Murray, 2019)."""

    type: Literal["annealed"] = "annealed"
    start: Fraction = 1.0
    """Exponent of the sizes at the first step: 1 is `proportional`, 0 is `uniform`."""
    end: Fraction = 0.2
    """Exponent at the last step."""

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Return the sizes to an exponent that changes linearly."""
        power = self.start + (self.end - self.start) * progress
        return [size**power for size in batches]
