"""Aggregators that take out of gradients what stands against other tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_torchjd.aggregator_spec import AggregatorSpec, StatelessSpec, by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_torchjd.rules import Rule

Share = Annotated[float, Field(ge=0, le=1)]


class PCGrad(StatelessSpec):
    """Projecting conflicting gradients (PCGrad, "gradient surgery"; Yu et al., 2020).

    Of each task's gradient, what points against another task's is taken away, the other tasks in random order; then
    all are added up. Without conflicts it is the sum.
    """

    type: Literal["pcgrad"] = "pcgrad"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.PCGrad()


class GradVac(AggregatorSpec):
    """Gradient vaccine (GradVac; Wang et al., 2021): two tasks' gradients are brought to their usual cosine.

    A running mean of a pair's cosines is its target, where PCGrad has 0. What is known of a pair changes only in
    batches with labels of both.
    """

    type: Literal["gradvac"] = "gradvac"
    beta: Share = 0.5
    """What a step counts in the running mean."""
    eps: NonNegativeFloat = 1e-8
    """Added to what is divided by."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make the rule, with what it remembers."""
        from mtl_torchjd.gradvac_rule import RememberedCosines

        return RememberedCosines(len(tasks), self.beta, self.eps)


class GradDrop(StatelessSpec):
    """Gradient sign dropout ("just pick a sign"; Chen et al., 2020).

    For each number of the gradient a sign is drawn, more likely the one that prevails among the tasks; what tasks
    have of the other sign is dropped. Then all are added up.
    """

    type: Literal["graddrop"] = "graddrop"
    weighs: ClassVar[bool] = False
    leak: dict[str, Share] = {}
    """What share of a task's gradient is kept whatever is drawn, by the task's name; 0 for those not named."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float]:
        """The leaks."""
        return by_task("leak", self.leak, tasks, 0.0)

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.GradDrop(leak=numbers)


class ConFIG(StatelessSpec):
    """The direction with the same cosine to all tasks' gradients (ConFIG; Liu, Chu and Thuerey, 2025).

    Its length is the sum of the gradients' projections on it.
    """

    type: Literal["config"] = "config"
    weighs: ClassVar[bool] = False
    preferences: dict[str, PositiveFloat] = {}
    """How the cosines are related to each other, by the task's name; 1 for tasks that are not named."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """The preferences."""
        return by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.ConFIG(numbers)
