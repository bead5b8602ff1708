"""Strategies to draw batches from several data sets. Each says shares of the draws; the core draws by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core.specs import SamplingSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Exponent = Annotated[float, Field(ge=0, le=1)]


class Proportional(SamplingSpec):
    """In proportion to size: an epoch visits every example of every data set once."""

    type: Literal["proportional"] = "proportional"

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """The sizes."""
        return [float(size) for size in batches]


class Uniform(SamplingSpec):
    """Every data set as often as the others, in random order: small ones are repeated."""

    type: Literal["uniform"] = "uniform"

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """All alike."""
        return [1.0] * len(batches)


class RoundRobin(Uniform):
    """One data set after the other, in the order of the experiment file."""

    type: Literal["round-robin"] = "round-robin"  # type: ignore[assignment]

    def draws(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        """In turn, also from one epoch to the next."""
        import numpy as np

        return np.arange(steps.start, steps.stop, dtype=np.int64) % len(batches)


class Temperature(SamplingSpec):
    """In proportion to size to the power of 1 / temperature (Devlin et al., 2018, for languages).

    At 1 it is `proportional`; the higher, the nearer to `uniform`.
    """

    type: Literal["temperature"] = "temperature"
    temperature: Annotated[float, Field(ge=1)] = 2.0
    """How much small data sets are favoured."""

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Sizes, flattened."""
        return [size ** (1 / self.temperature) for size in batches]


class Annealed(SamplingSpec):
    """From in proportion to size at first to nearly alike at last (Stickland and Murray, 2019)."""

    type: Literal["annealed"] = "annealed"
    start: Exponent = 1.0
    """The power of the sizes at the first step: 1 is `proportional`, 0 is `uniform`."""
    end: Exponent = 0.2
    """The power at the last step."""

    def shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        """Sizes to a power that moves in a straight line."""
        power = self.start + (self.end - self.start) * progress
        return [size**power for size in batches]
