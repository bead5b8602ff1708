"""Aggregators that prefer one task or tasks far from their optimum, and the smoothing of any aggregator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, field_validator

from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import WeightingField
from mtl_torchjd.aggregator_spec import AggregatorSpec, by_task, known_task

if TYPE_CHECKING:
    from mtl_torchjd.rules import Rule

Share = Annotated[float, Field(ge=0, le=1)]
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
    tau: Share = 0.02
    """The guaranteed share of each other task."""
    taus: dict[str, Share] = {}
    """Task name to its guaranteed share, instead of `tau`."""
    beta: Decay = 0.999
    """Decay of the moving averages."""
    eps: NonNegativeFloat = 1e-8
    """Added to the moving averages before division."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule with its state."""
        from mtl_torchjd.pcd_rule import OneTaskFirst

        primary = 0 if self.primary is None else known_task("primary", self.primary, tasks)
        return OneTaskFirst(primary, by_task("taus", self.taus, tasks, self.tau), self.beta, self.eps)


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

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule with its state."""
        from mtl_torchjd.excess_rule import ExcessRisks

        return ExcessRisks(len(tasks), self.robust_step_size, self.n_warmup_steps)


class Smoothed(AggregatorSpec):
    """Weights of another aggregator, smoothed over steps (CR-MOGM; Zhou et al., 2022)."""

    type: Literal["cr-mogm"] = "cr-mogm"
    of: WeightingField = default_type("upgrad")
    """The aggregator, which must compute weights (all except `config`, `graddrop` and `trimmed-mean`)."""
    alpha: Share = 0.9
    """Weight of the last weights in the average with the new ones."""

    @field_validator("of")
    @classmethod
    def _one_with_weights(cls, of: WeightingField) -> WeightingField:
        if not isinstance(of, AggregatorSpec) or not of.weighs or isinstance(of, Smoothed):
            raise ValueError(
                f"'{of.type}' cannot be smoothed; expected an aggregator of gradients that computes weights, "
                "such as upgrad, pcgrad or mgda"
            )
        return of

    def needs(self) -> Mapping[str, str]:
        """Return the modules that the smoothed aggregator requires."""
        return self.of.needs()

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule with its state."""
        from mtl_torchjd.rules import WeighingRule
        from mtl_torchjd.smoothed_rule import SmoothedWeights

        assert isinstance(self.of, AggregatorSpec)  # noqa: S101  validated
        rule = self.of.rule(tasks)
        assert isinstance(rule, WeighingRule)  # noqa: S101  validated
        return SmoothedWeights(len(tasks), rule, self.alpha)
