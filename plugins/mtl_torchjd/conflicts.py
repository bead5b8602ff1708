"""Aggregators that remove conflicts between gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_torchjd.aggregator_spec import AggregatorSpec, StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_torchjd.rules import AggregationRule

Fraction = Annotated[float, Field(ge=0, le=1)]


class PCGrad(StatelessSpec):
    """Projecting conflicting gradients (PCGrad, "gradient surgery"; Yu et al., 2020).

    Each task's gradient is projected onto the normal plane of every conflicting gradient, in random order; the
    result is the sum. Without conflicts it is the sum of the gradients.
    """

    type: Literal["pcgrad"] = "pcgrad"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.PCGrad()


class GradVac(AggregatorSpec):
    """Gradient vaccine (GradVac; Wang et al., 2021): gradients are aligned to a target cosine per pair of tasks.

    The target is a moving average of the pair's cosines; in PCGrad it is 0. The average of a pair changes only in
    batches with labels of both tasks.
    """

    type: Literal["gradvac"] = "gradvac"
    beta: Fraction = 0.5
    """Weight of a step in the moving average."""
    eps: NonNegativeFloat = 1e-8
    """Added to denominators."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.gradvac_rule import GradVacRule

        return GradVacRule(len(tasks), self.beta, self.eps)


class GradDrop(StatelessSpec):
    """Gradient sign dropout ("just pick a sign"; Chen et al., 2020).

    For each entry of the gradient a sign is sampled, with the probability of its share among the tasks; entries of
    the other sign are dropped. The result is the sum.
    """

    type: Literal["graddrop"] = "graddrop"
    is_weighted_sum: ClassVar[bool] = False
    leak: dict[str, Fraction] = {}
    """Task name to the share of its gradient that is never dropped; 0 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float]:
        """Return the leaks."""
        return order_by_task("leak", self.leak, tasks, 0.0)

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.GradDrop(leak=task_values)


class ConFIG(StatelessSpec):
    """Conflict-free direction (ConFIG; Liu, Chu and Thuerey, 2025): equal cosines to all tasks' gradients.

    Its norm is the sum of the gradients' projections onto it.
    """

    type: Literal["config"] = "config"
    is_weighted_sum: ClassVar[bool] = False
    preferences: dict[str, PositiveFloat] = {}
    """Task name to its relative cosine; 1 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return the preferences."""
        return order_by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.ConFIG(task_values)
