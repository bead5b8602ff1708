"""Gradient normalisation (GradNorm)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class GradNorm(WeightingSpec):
    """GradNorm: balances the gradient norms of the tasks at the last shared layer (Chen et al., 2018).

    Each task has a factor `f_t`, initially 1. With `g_t` the norm of its gradient times `f_t`, and `r_t` the ratio
    of its loss to its first loss, relative to the mean ratio over tasks, Adam minimises
    `sum(|g_t - mean(g) * r_t ** alpha|)`; the factors are then rescaled to sum to the number of tasks. A task's
    weight also multiplies its loss, so a task of weight 2 keeps twice the norm of the others. Every step needs one
    backward pass to that layer per task in the batch.
    """

    type: Literal["gradnorm"] = "gradnorm"
    balances_gradients: ClassVar[bool] = True
    alpha: NonNegativeFloat = 1.5
    """How strongly slower tasks are favoured; 0 equalises all norms."""
    lr: PositiveFloat = 0.025
    """Learning rate of the factors."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weightings.modules.gradnorm import GradNormWeighting

        return GradNormWeighting(weights, self.alpha, self.lr)
