"""The weighted sum of the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class WeightedSum(WeightingSpec):
    """Weighted sum of the losses of all tasks with labels in the batch."""

    type: Literal["sum"] = "sum"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighted sum."""
        from mtl_core.builtins.weightings.modules.stateless import LossSum

        return LossSum(weights)
