"""CR-MOGM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator

from mtl_core import Fraction, WeightingField, default_type
from mtl_torchjd.aggregator_spec import AggregatorSpec

if TYPE_CHECKING:
    from mtl_torchjd.rule import AggregationRule


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
                f"'{aggregator.type}' cannot be smoothed; expected an aggregator of gradients that computes "
                "weights, such as upgrad, pcgrad or mgda"
            )
        return aggregator

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the modules that the smoothed aggregator requires."""
        return self.aggregator.list_required_packages()

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.cr_mogm_rule import CRMOGMRule
        from mtl_torchjd.rule import WeightedSumRule

        assert isinstance(self.aggregator, AggregatorSpec)  # noqa: S101  validated
        rule = self.aggregator.build_rule(tasks)
        assert isinstance(rule, WeightedSumRule)  # noqa: S101  validated
        return CRMOGMRule(len(tasks), rule, self.alpha)
