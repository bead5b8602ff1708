"""Aggregators that prefer one task or tasks far from their optimum, and the smoothing of any aggregator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, field_validator

from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import WeightingField
from mtl_torchjd.aggregator_spec import AggregatorSpec, find_task_index, order_by_task

if TYPE_CHECKING:
    from mtl_torchjd.rules import AggregationRule

Fraction = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]


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
    beta: Decay = 0.999
    """Decay of the moving averages."""
    eps: NonNegativeFloat = 1e-8
    """Added to the moving averages before division."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.pcd_rule import PCDRule

        primary = 0 if self.primary is None else find_task_index("primary", self.primary, tasks)
        return PCDRule(primary, order_by_task("taus", self.taus, tasks, self.tau), self.beta, self.eps)


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
        from mtl_torchjd.excess_rule import ExcessMTLRule

        return ExcessMTLRule(len(tasks), self.robust_step_size, self.n_warmup_steps)


class CRMOGM(AggregatorSpec):
    """Weights of another aggregator, smoothed over steps (CR-MOGM; Zhou et al., 2022)."""

    type: Literal["cr-mogm"] = "cr-mogm"
    aggregator: WeightingField = default_type("upgrad")
    """The aggregator, which must compute weights (all except `config`, `graddrop` and `trimmed-mean`)."""
    alpha: Fraction = 0.9
    """Weight of the last weights in the average with the new ones."""

    @field_validator("aggregator")
    @classmethod
    def _validate_weighted_sum(cls, aggregator: WeightingField) -> WeightingField:
        if (
            not isinstance(aggregator, AggregatorSpec)
            or not aggregator.is_weighted_sum
            or isinstance(aggregator, CRMOGM)
        ):
            raise ValueError(
                f"'{aggregator.type}' cannot be smoothed; expected an aggregator of gradients that computes weights, "
                "such as upgrad, pcgrad or mgda"
            )
        return aggregator

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the modules that the smoothed aggregator requires."""
        return self.aggregator.list_required_packages()

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.rules import WeightedSumRule
        from mtl_torchjd.smoothed_rule import CRMOGMRule

        assert isinstance(self.aggregator, AggregatorSpec)  # noqa: S101  validated
        rule = self.aggregator.build_rule(tasks)
        assert isinstance(rule, WeightedSumRule)  # noqa: S101  validated
        return CRMOGMRule(len(tasks), rule, self.alpha)
