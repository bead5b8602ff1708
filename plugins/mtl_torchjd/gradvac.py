"""Gradient vaccine (GradVac)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core import Fraction
from mtl_torchjd.aggregator_spec import AggregatorSpec

if TYPE_CHECKING:
    from mtl_torchjd.rule import AggregationRule


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
