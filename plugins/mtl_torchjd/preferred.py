"""Aggregators that prefer a task: a given one, or the one that is furthest behind; and the smoothing of any."""

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
    """Priority-constrained descent (PCD; arXiv 2606.29521): one task first, a share of progress for each other one.

    A step as near to the primary task's gradient as can be, and as long, in which every other task gets at least
    `tau` of what a step along its own gradient would give it. Gradients are measured by running means of their
    norms. In a batch without labels of the primary task, the others' gradients are added up.
    """

    type: Literal["pcd"] = "pcd"
    primary: str | None = None
    """The task that comes first; null is the first one of the experiment."""
    tau: Share = 0.02
    """The share that is guaranteed to each other task."""
    taus: dict[str, Share] = {}
    """Another share for some tasks, by their names."""
    beta: Decay = 0.999
    """What the past counts in the running means."""
    eps: NonNegativeFloat = 1e-8
    """Added to running means before they divide."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make the rule, with what it remembers."""
        from mtl_torchjd.pcd_rule import OneTaskFirst

        primary = 0 if self.primary is None else known_task("primary", self.primary, tasks)
        return OneTaskFirst(primary, by_task("taus", self.taus, tasks, self.tau), self.beta, self.eps)


class ExcessMTL(AggregatorSpec):
    """A mean of the gradients in which tasks that are far from their optimum count more (He et al., 2024).

    How far is estimated from the squares of all gradients so far, and related to what was found at first, or on
    average in the warm-up. So as many numbers as the tasks' gradients have are remembered, in checkpoints as well.
    """

    type: Literal["excess-mtl"] = "excess-mtl"
    robust_step_size: PositiveFloat = 1.0
    """How fast the weights move."""
    n_warmup_steps: NonNegativeInt = 0
    """Steps in which weights stay equal while figures are collected; the paper takes three epochs."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make the rule, with what it remembers."""
        from mtl_torchjd.excess_rule import ExcessRisks

        return ExcessRisks(len(tasks), self.robust_step_size, self.n_warmup_steps)


class Smoothed(AggregatorSpec):
    """Another aggregator's weights, smoothed over the steps (CR-MOGM; Zhou et al., 2022)."""

    type: Literal["cr-mogm"] = "cr-mogm"
    of: WeightingField = default_type("upgrad")
    """The aggregator; one that gives weights (all but `config`, `graddrop` and `trimmed-mean`)."""
    alpha: Share = 0.9
    """What the last weights count against new ones."""

    @field_validator("of")
    @classmethod
    def _one_with_weights(cls, of: WeightingField) -> WeightingField:
        if not isinstance(of, AggregatorSpec) or not of.weighs or isinstance(of, Smoothed):
            raise ValueError(
                f"'{of.type}' cannot be smoothed; expected an aggregator of gradients that gives weights, "
                "such as upgrad, pcgrad or mgda"
            )
        return of

    def needs(self) -> Mapping[str, str]:
        """What the smoothed one needs."""
        return self.of.needs()

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make the rule, with what it remembers."""
        from mtl_torchjd.rules import WeighingRule
        from mtl_torchjd.smoothed_rule import SmoothedWeights

        assert isinstance(self.of, AggregatorSpec)  # noqa: S101  validated
        rule = self.of.rule(tasks)
        assert isinstance(rule, WeighingRule)  # noqa: S101  validated
        return SmoothedWeights(len(tasks), rule, self.alpha)
