"""Priority-constrained descent (PCD)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core import Fraction, Probability
from mtl_torchjd.aggregator_spec import AggregatorSpec, find_task_index, order_by_task

if TYPE_CHECKING:
    from mtl_torchjd.rule import AggregationRule


class PCD(AggregatorSpec):
    """Priority-constrained descent (PCD; arXiv 2606.29521): a primary task, and a share of progress for others.

    The result is closest to the primary task's gradient and as long, under the constraint that every other task
    makes at least `tau` of the progress of a step along its own gradient. Gradients are normalized by moving
    averages of their norms. In a batch without labels of the primary task, the result is the sum of the gradients.
    """

    type: Literal["pcd"] = "pcd"
    primary: str | None = None
    """The primary task; null is the first task of the experiment."""
    tau: Fraction = 0.02
    """The guaranteed share of each other task."""
    taus: dict[str, Fraction] = {}
    """Task name to its guaranteed share, instead of `tau`."""
    beta: Probability = 0.999
    """Decay of the moving averages."""
    eps: NonNegativeFloat = 1e-8
    """Added to the moving averages before division."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.pcd_rule import PCDRule

        primary = 0 if self.primary is None else find_task_index("primary", self.primary, tasks)
        return PCDRule(primary, order_by_task("taus", self.taus, tasks, self.tau), self.beta, self.eps)
