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

    from mtl_core.data.metadata import ExampleMetadata
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
    column: str | None = None
    """A column of `data.metadata`, such as a user, no value of which is in two splits; null divides all examples."""

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
        import numpy as np

        fractions = [1 / self.folds] * self.folds
        groups = self._number_groups(units)
        all_units = np.ones(len(units), dtype=np.bool_)
        folds = self._stratify(
            units, groups, all_units, fractions, seed if self.split_seed is None else self.split_seed
        )
        split_indices: NDArray[np.int8] = (folds == self.fold).astype("int8")
        if self.hold_out == "test":
            split_indices *= 2
            training_mask = split_indices == 0
            validation_fraction = resolve_validation_fraction(self.validation, units)
            split_indices[training_mask] = self._stratify(
                units, groups, training_mask, [1 - validation_fraction, validation_fraction], seed
            )
        return split_indices

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Return which training examples are of a held-out group; without groups, there are none."""
        from mtl_core.builtins.splitters.group_leaks import find_group_leaks

        return (
            super().find_leaks(train, held_out)
            if self.column is None
            else find_group_leaks(train, held_out, self.column)
        )

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with them."""
        from mtl_core.builtins.splitters.group_leaks import describe_group_leak

        return describe_group_leak(self.column or "", held_out)

    def build_fold_keys(self) -> dict[str, object]:
        """Return the column of groups, if there is one."""
        return {} if self.column is None else {"column": self.column}

    def _number_groups(self, units: SplitUnits) -> NDArray[np.int64] | None:
        """Return the group of each unit; None without groups."""
        from mtl_core.builtins.splitters.group_keys import number_groups

        groups = None if self.column is None else number_groups(units, self.column)
        n_divisible = len(units) if groups is None else int(groups.max(initial=-1)) + 1
        if n_divisible < self.folds:
            noun = "distinct examples" if groups is None else f"groups of '{self.column}'"
            raise MtlError(f"split.folds: {self.folds} folds need as many {noun}, found {n_divisible}")
        return groups

    def _stratify(
        self,
        units: SplitUnits,
        groups: NDArray[np.int64] | None,
        mask: NDArray[np.bool_],
        fractions: list[float],
        seed: int,
    ) -> NDArray[np.int64]:
        """Divide the units of a mask."""
        from mtl_core.builtins.splitters.group_stratification import stratify_units_by_group
        from mtl_core.builtins.splitters.stratification import stratify

        if groups is None:
            return stratify(units.indicators[mask], fractions, seed)
        n_groups, n_splits = len(set(groups[mask].tolist())), sum(fraction > 0 for fraction in fractions)
        if n_groups < n_splits:
            raise MtlError(f"split.column: the other folds have {n_groups} group of '{self.column}', too few to divide")
        return stratify_units_by_group(units.indicators[mask], units.sizes[mask], groups[mask], fractions, seed)
