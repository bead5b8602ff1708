"""Uncertainty weighting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class Uncertainty(WeightingSpec):
    """Uncertainty weighting: losses divided by learned variances (Kendall, Gal and Cipolla, 2018).

    `sum(w_t * (exp(-s_t) * L_t + s_t))`, where `s_t`, the logarithm of a variance, is a parameter initialised to
    0, so that training starts as with `sum`. It converges to `log(L_t)`, where the task has weight `w_t / L_t`.
    This is twice the paper's form for regression. The form for classification has another factor at the loss, which
    shifts `s_t` by `log(2)` and converges to the same weight, so one form covers all kinds of tasks.
    """

    type: Literal["uncertainty"] = "uncertainty"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting with its parameters."""
        from mtl_core.builtins.weightings.modules.uncertainty import LearnedUncertainty

        return LearnedUncertainty(weights)
