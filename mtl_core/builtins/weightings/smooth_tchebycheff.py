"""Smooth Tchebycheff scalarisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveFloat

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class SmoothTchebycheff(WeightingSpec):
    """Smooth maximum of the weighted losses (Lin et al., 2024), dominated by the task with the largest loss.

    `mu * log(sum(exp(w_t * (L_t - ideal_t) / mu)))`. Unlike a sum, it can reach every trade-off between the tasks
    by a choice of weights.
    """

    type: Literal["smooth-tchebycheff"] = "smooth-tchebycheff"
    mu: PositiveFloat = 1.0
    """Smoothness: near 0 only the task with the largest loss counts, larger values approach the sum."""
    ideal: dict[str, float] = Field(default_factory=dict)
    """Ideal loss by task name; 0 for tasks that are not listed."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the smooth maximum.

        Raises:
            MtlError: If `ideal` contains an unknown task.
        """
        from mtl_core.builtins.weightings.modules.smooth_tchebycheff import SmoothMaximum

        for name in self.ideal:
            if name not in tasks:
                raise MtlError(
                    f"weighting.ideal: there is no main task '{name}'{did_you_mean(name, tasks)} "
                    f"(main tasks: {join_names(tasks)})"
                )
        return SmoothMaximum(weights, [self.ideal.get(task, 0.0) for task in tasks], self.mu)
