"""Aggregators that remove conflicts between gradients."""

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

    Each task's gradient is projected onto the normal plane of every conflicting gradient, in random order; the
    result is the sum. Without conflicts it is the sum of the gradients.
    """

    type: Literal["pcgrad"] = "pcgrad"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.PCGrad()


class GradVac(AggregatorSpec):
    """Gradient vaccine (GradVac; Wang et al., 2021): gradients are aligned to a target cosine per pair of tasks.

    The target is a moving average of the pair's cosines; in PCGrad it is 0. The average of a pair changes only in
    batches with labels of both tasks.
    """

    type: Literal["gradvac"] = "gradvac"
    beta: Share = 0.5
    """Weight of a step in the moving average."""
    eps: NonNegativeFloat = 1e-8
    """Added to denominators."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule with its state."""
        from mtl_torchjd.gradvac_rule import RememberedCosines

        return RememberedCosines(len(tasks), self.beta, self.eps)


class GradDrop(StatelessSpec):
    """Gradient sign dropout ("just pick a sign"; Chen et al., 2020).

    For each entry of the gradient a sign is sampled, with the probability of its share among the tasks; entries of
    the other sign are dropped. The result is the sum.
    """

    type: Literal["graddrop"] = "graddrop"
    weighs: ClassVar[bool] = False
    leak: dict[str, Share] = {}
    """Task name to the share of its gradient that is never dropped; 0 for other tasks."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float]:
        """Return the leaks."""
        return by_task("leak", self.leak, tasks, 0.0)

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.GradDrop(leak=numbers)


class ConFIG(StatelessSpec):
    """Conflict-free direction (ConFIG; Liu, Chu and Thuerey, 2025): equal cosines to all tasks' gradients.

    Its norm is the sum of the gradients' projections onto it.
    """

    type: Literal["config"] = "config"
    weighs: ClassVar[bool] = False
    preferences: dict[str, PositiveFloat] = {}
    """Task name to its relative cosine; 1 for other tasks."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return the preferences."""
        return by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.ConFIG(numbers)
