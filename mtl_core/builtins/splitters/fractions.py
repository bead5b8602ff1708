"""Splitters with configured fractions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import SplitterSpec

if TYPE_CHECKING:
    from mtl_core.data.splitting import SplitUnits

DEFAULT_VALIDATION_FRACTION = 0.2


class FractionSplitter(SplitterSpec):
    """Base class of splitters with configured fractions."""

    validation: Probability | None = None
    """Fraction of training examples used for validation; null is 0.2, or 0 if the data has a validation split."""
    test: Probability = 0.0
    """Fraction of training examples used for testing; for data without a test split."""

    @model_validator(mode="after")
    def _validate_sum(self) -> FractionSplitter:
        total = (DEFAULT_VALIDATION_FRACTION if self.validation is None else self.validation) + self.test
        if total >= 1:
            raise ValueError(f"validation and test add up to {total:g} of the examples; the sum must be below 1")
        return self

    def resolve_validation_fraction(self, units: SplitUnits) -> float:
        """Return the configured fraction, or the default if the data has no validation split."""
        return resolve_validation_fraction(self.validation, units)

    def resolve_fractions(self, units: SplitUnits) -> list[float]:
        """Return the fractions of training, validation and test data."""
        validation = self.resolve_validation_fraction(units)
        return [1 - validation - self.test, validation, self.test]


def resolve_validation_fraction(configured: float | None, units: SplitUnits) -> float:
    """Return the configured fraction, or the default if the data has no validation split."""
    if configured is not None:
        return configured
    return 0.0 if units.has_validation else DEFAULT_VALIDATION_FRACTION
