"""Cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.splitters.fractions import resolve_validation_fraction
from mtl_core.errors import MtlError
from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import SplitterSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.splitting import SplitUnits


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
    validation: Probability | None = None
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
        from mtl_core.builtins.splitters.stratification import stratify

        if len(units) < self.folds:
            raise MtlError(f"split.folds: {self.folds} folds need as many distinct examples, found {len(units)}")
        fractions = [1 / self.folds] * self.folds
        folds = stratify(units.indicators, fractions, seed if self.split_seed is None else self.split_seed)
        split_indices: NDArray[np.int8] = (folds == self.fold).astype("int8")
        if self.hold_out == "test":
            split_indices *= 2
            training_mask = split_indices == 0
            validation_fraction = resolve_validation_fraction(self.validation, units)
            split_indices[training_mask] = stratify(
                units.indicators[training_mask], [1 - validation_fraction, validation_fraction], seed
            )
        return split_indices
