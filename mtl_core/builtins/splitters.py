"""Splitters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.errors import MtlError
from mtl_core.specs import SplitterSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.splitting import SplitUnits

Share = Annotated[float, Field(ge=0, lt=1)]
USUAL_VALIDATION = 0.2


class _Shares(SplitterSpec):
    """A splitter that is told how much goes where."""

    validation: Share | None = None
    """Share of the training examples that becomes validation data; null is 0.2, or 0 if the data brings its own."""
    test: Share = 0.0
    """Share of the training examples that becomes test data; for data without a test part of its own."""

    @model_validator(mode="after")
    def _leave_something(self) -> _Shares:
        taken = (USUAL_VALIDATION if self.validation is None else self.validation) + self.test
        if taken >= 1:
            raise ValueError(f"validation and test take {taken:g} of the examples; 1 is all")
        return self

    def validation_share(self, units: SplitUnits) -> float:
        """The stated share, or the usual one where the data brings no validation part of its own."""
        return _validation_share(self.validation, units)


class Stratified(_Shares):
    """Iterative stratification over (task, class) pairs (Sechidis et al., 2011), by scikit-multilearn."""

    type: Literal["stratified"] = "stratified"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Divide so that every (task, class) has about the same share everywhere."""
        from mtl_core.builtins.stratification import stratify

        validation = self.validation_share(units)
        shares = [1 - validation - self.test, validation, self.test]
        return stratify(units.indicators, shares, seed).astype("int8")


class RandomSplit(_Shares):
    """Units drawn at random."""

    type: Literal["random"] = "random"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Shuffle and cut."""
        import numpy as np

        order = np.random.default_rng(seed).permutation(len(units))
        parts = np.zeros(len(units), dtype=np.int8)
        validation, test = round(len(units) * self.validation_share(units)), round(len(units) * self.test)
        parts[order[:validation]] = 1
        parts[order[validation : validation + test]] = 2
        return parts


class KFold(SplitterSpec):
    """One of k stratified folds is validation data, the others are for training; or the fold is test data."""

    type: Literal["k-fold"] = "k-fold"
    folds: Annotated[int, Field(ge=2)] = 5
    """How many folds."""
    fold: Annotated[int, Field(ge=0)] = 0
    """Which fold is held out, counted from 0."""
    hold_out: Literal["validation", "test"] = "validation"
    """What the fold is. As test data, nothing is chosen by it: validation data is drawn from the other folds
    (nested cross-validation), and the test part that the data itself has is set aside."""
    validation: Share | None = None
    """With `hold_out: test`: share of the other folds that becomes validation data; null is 0.2, or 0 if the data
    brings its own."""
    split_seed: int | None = Field(default=None, ge=0)
    """A seed for the folds alone, so that runs with different seeds share them; null takes the run's."""

    @model_validator(mode="after")
    def _existing_fold(self) -> KFold:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} does not exist; folds are counted from 0")
        if self.validation is not None and self.hold_out == "validation":
            raise ValueError("the fold is the validation data; a share of the others is for `hold_out: test`")
        return self

    @property
    def replaces_test(self) -> bool:
        """The fold is the test part."""
        return self.hold_out == "test"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Make all folds and pick one; the folds are the same whichever is picked.

        Raises:
            MtlError: If there are more folds than units.
        """
        from mtl_core.builtins.stratification import stratify

        if len(units) < self.folds:
            raise MtlError(f"split.folds: {self.folds} folds need as many distinct examples, found {len(units)}")
        shares = [1 / self.folds] * self.folds
        folds = stratify(units.indicators, shares, seed if self.split_seed is None else self.split_seed)
        parts: NDArray[np.int8] = (folds == self.fold).astype("int8")
        if self.hold_out == "test":
            parts *= 2
            others = parts == 0
            validation = _validation_share(self.validation, units)
            parts[others] = stratify(units.indicators[others], [1 - validation, validation], seed)
        return parts


def _validation_share(stated: float | None, units: SplitUnits) -> float:
    if stated is not None:
        return stated
    return 0.0 if units.has_validation else USUAL_VALIDATION


class Predefined(SplitterSpec):
    """Nothing is divided: the parts are those that the data itself states."""

    type: Literal["predefined"] = "predefined"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """All to training."""
        import numpy as np

        return np.zeros(len(units), dtype=np.int8)
