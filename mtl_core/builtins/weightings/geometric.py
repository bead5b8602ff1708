"""The geometric mean of the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class Geometric(WeightingSpec):
    """Geometric mean of the losses (Chennupati et al., 2019), with the tasks' weights as exponents.

    `prod(L_t ** w_t) ** (1 / sum(w_t))`: the direction of the step does not depend on the scale of any loss. Losses
    must be positive; they are clamped to at least 1e-8.
    """

    type: Literal["geometric"] = "geometric"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the geometric mean."""
        from mtl_core.builtins.weightings.modules.stateless import GeometricMean

        return GeometricMean(weights)
