"""Random loss weighting (RLW)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class Random(WeightingSpec):
    """Random loss weighting (RLW; Lin et al., 2022), a baseline for other weightings.

    In each step, the factors are the softmax of standard normal samples, times the number of tasks in the batch
    and each task's weight: 1 on average, as in `sum`. Samples depend on the run's seed only.
    """

    type: Literal["random"] = "random"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weightings.modules.random_weights import RandomWeights

        return RandomWeights(tasks, weights)
