"""Splitters: strategies that divide data into training, validation and test splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import SplitterSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.splitting import SplitUnits

Fraction = Annotated[float, Field(ge=0, lt=1)]
DEFAULT_VALIDATION_FRACTION = 0.2


class _FractionSplitter(SplitterSpec):
    """Base class of splitters with configured fractions."""

    validation: Fraction | None = None
    """Fraction of training examples used for validation; null is 0.2, or 0 if the data has a validation split."""
    test: Fraction = 0.0
    """Fraction of training examples used for testing; for data without a test split."""

    @model_validator(mode="after")
    def _validate_sum(self) -> _FractionSplitter:
        total = (DEFAULT_VALIDATION_FRACTION if self.validation is None else self.validation) + self.test
        if total >= 1:
            raise ValueError(f"validation and test add up to {total:g} of the examples; the sum must be below 1")
        return self

    def resolve_validation_fraction(self, units: SplitUnits) -> float:
        """Return the configured fraction, or the default if the data has no validation split."""
        return _resolve_validation_fraction(self.validation, units)


class Stratified(_FractionSplitter):
    """Iterative stratification over (task, class) pairs (Sechidis et al., 2011), with scikit-multilearn."""

    type: Literal["stratified"] = "stratified"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Divide units so that every (task, class) pair has about the same frequency in every split."""
        from mtl_core.builtins.stratification import stratify

        validation_fraction = self.resolve_validation_fraction(units)
        fractions = [1 - validation_fraction - self.test, validation_fraction, self.test]
        return stratify(units.indicators, fractions, seed).astype("int8")


class RandomSplit(_FractionSplitter):
    """Random assignment of units to splits."""

    type: Literal["random"] = "random"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Shuffle the units and slice the permutation."""
        import numpy as np

        permutation = np.random.default_rng(seed).permutation(len(units))
        split_indices = np.zeros(len(units), dtype=np.int8)
        n_validation, n_test = (
            round(len(units) * self.resolve_validation_fraction(units)),
            round(len(units) * self.test),
        )
        split_indices[permutation[:n_validation]] = 1
        split_indices[permutation[n_validation : n_validation + n_test]] = 2
        return split_indices


class KFold(SplitterSpec):
    """Stratified k-fold cross-validation: one fold is held out as the validation or the test split."""

    type: Literal["k-fold"] = "k-fold"
    folds: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    fold: Annotated[int, Field(ge=0)] = 0
    """Index of the held-out fold, from 0."""
    hold_out: Literal["validation", "test"] = "validation"
    """The split that the fold becomes. With `test`, model selection never uses the fold: validation data comes
    from the other folds (nested cross-validation), and a test split of the data set itself is ignored."""
    validation: Fraction | None = None
    """With `hold_out: test`: fraction of the other folds used for validation; null is 0.2, or 0 if the data has a
    validation split."""
    split_seed: int | None = Field(default=None, ge=0)
    """Seed of the folds, so that runs with different seeds share them; null uses the run's seed."""

    @model_validator(mode="after")
    def _validate_fold(self) -> KFold:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} does not exist; folds are counted from 0")
        if self.validation is not None and self.hold_out == "validation":
            raise ValueError("the fold is the validation data; `validation` applies to `hold_out: test` only")
        return self

    @property
    def replaces_test(self) -> bool:
        """Whether the fold replaces the test split."""
        return self.hold_out == "test"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign units to folds and select one; the folds do not depend on the selected one.

        Raises:
            MtlError: If there are more folds than units.
        """
        from mtl_core.builtins.stratification import stratify

        if len(units) < self.folds:
            raise MtlError(f"split.folds: {self.folds} folds need as many distinct examples, found {len(units)}")
        fractions = [1 / self.folds] * self.folds
        folds = stratify(units.indicators, fractions, seed if self.split_seed is None else self.split_seed)
        split_indices: NDArray[np.int8] = (folds == self.fold).astype("int8")
        if self.hold_out == "test":
            split_indices *= 2
            training_mask = split_indices == 0
            validation_fraction = _resolve_validation_fraction(self.validation, units)
            split_indices[training_mask] = stratify(
                units.indicators[training_mask], [1 - validation_fraction, validation_fraction], seed
            )
        return split_indices


def _resolve_validation_fraction(configured: float | None, units: SplitUnits) -> float:
    if configured is not None:
        return configured
    return 0.0 if units.has_validation else DEFAULT_VALIDATION_FRACTION


class Predefined(SplitterSpec):
    """No splitting: the splits are those that the data defines."""

    type: Literal["predefined"] = "predefined"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign all units to training."""
        import numpy as np

        return np.zeros(len(units), dtype=np.int8)
