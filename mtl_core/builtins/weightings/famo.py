"""Fast adaptive multitask optimisation (FAMO)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class FAMO(WeightingSpec):
    """Fast adaptive multitask optimisation: losses decrease at equal relative rates (Liu et al., 2023).

    A step minimises `c * sum(z_t * log(L_t))`, where `c` makes the weights of the losses sum to 1 and `z` is the
    softmax of logits. Adam then lowers the logits of tasks whose `log(L_t)` decreased faster. A task's weight
    multiplies its `z_t` and divides its decrease: with weight 2, the target is twice the rate. Losses must be
    positive; they are clamped to at least 1e-8.

    The decrease of a loss is measured on the next batch with labels of the task, whose losses are computed anyway.
    Differences between batches cancel over consecutive steps. The published form, `same_batch`, runs the network on
    the same batch again after every step.
    """

    type: Literal["famo"] = "famo"
    lr: PositiveFloat = 0.025
    """Learning rate of the logits."""
    gamma: NonNegativeFloat = 0.01
    """Strength of the decay of logits towards 0, where all tasks have equal weight."""
    same_batch: bool = False
    """Whether a step's effect is measured on its own batch, as published, at the cost of one more forward pass."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weightings.modules.famo import FamoWeighting

        return FamoWeighting(weights, self.lr, self.gamma, self.same_batch)
