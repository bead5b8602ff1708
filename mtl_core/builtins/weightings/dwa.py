"""Dynamic weight average (DWA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class DynamicWeightAverage(WeightingSpec):
    """Dynamic weight average: higher weights for tasks whose losses fall more slowly (DWA; Liu et al., 2019).

    From the third epoch on, the factors are the softmax of `L_t(last epoch) / L_t(epoch before) / temperature`,
    times the number of tasks and each task's weight; until then, just the weight. A task without labels in an epoch
    keeps its recorded losses.
    """

    type: Literal["dwa"] = "dwa"
    temperature: PositiveFloat = 2.0
    """Softmax temperature: near 0 only the slowest task counts, larger values equalise the weights."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weightings.modules.dwa import DynamicAverage

        return DynamicAverage(weights, self.temperature)
