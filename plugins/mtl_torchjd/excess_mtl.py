"""ExcessMTL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveFloat

from mtl_torchjd.aggregator_spec import AggregatorSpec

if TYPE_CHECKING:
    from mtl_torchjd.rule import AggregationRule


class ExcessMTL(AggregatorSpec):
    """ExcessMTL (He et al., 2024): a weighted mean with larger weights for tasks far from their optimum.

    The excess risk is estimated from the squares of all previous gradients, relative to its first value or to its
    mean over the warmup. The state, also in checkpoints, has the size of all tasks' gradients.
    """

    type: Literal["excess-mtl"] = "excess-mtl"
    robust_step_size: PositiveFloat = 1.0
    """Step size of the weights."""
    n_warmup_steps: NonNegativeInt = 0
    """Number of initial steps with equal weights, to estimate the first risks; three epochs in the paper."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.excess_mtl_rule import ExcessMTLRule

        return ExcessMTLRule(len(tasks), self.robust_step_size, self.n_warmup_steps)
