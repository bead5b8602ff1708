"""Groups of examples that are in one split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.splitters.fractions import FractionSplitter
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.metadata import ExampleMetadata
    from mtl_core.data.splitting import SplitUnits


class GroupSplit(FractionSplitter):
    """Stratification of groups: no value of a column, such as a user, is in two splits.

    Fractions are those of the examples. Groups are assigned by iterative stratification over (task, class) pairs
    (Sechidis et al., 2011), then moved one by one until splits have their shares of the examples and of each class,
    as far as groups allow it. An example without a value is a group of its own.
    """

    type: Literal["group"] = "group"
    column: str
    """The column of groups, one of `data.metadata`."""

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign groups to splits; identical inputs connect their groups.

        Raises:
            MtlError: If there is no such column, or fewer groups than splits.
        """
        from mtl_core.builtins.splitters.group_keys import number_groups
        from mtl_core.builtins.splitters.group_stratification import stratify_units_by_group

        groups = number_groups(units, self.column)
        fractions = self.resolve_fractions(units)
        n_groups, n_splits = int(groups.max(initial=-1)) + 1, sum(fraction > 0 for fraction in fractions)
        if n_groups < n_splits:
            noun = "1 group" if n_groups == 1 else f"{n_groups} groups"
            raise MtlError(
                f"split.column: the {noun} of '{self.column}' cannot be divided into {n_splits} splits "
                "(groups that share an input are one group)"
            )
        return stratify_units_by_group(units.indicators, units.sizes, groups, fractions, seed).astype("int8")

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Return which training examples are of a held-out group."""
        from mtl_core.builtins.splitters.group_leaks import find_group_leaks

        return find_group_leaks(train, held_out, self.column)

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with them."""
        from mtl_core.builtins.splitters.group_leaks import describe_group_leak

        return describe_group_leak(self.column, held_out)

    def build_fold_keys(self) -> dict[str, object]:
        """Return the column, so that folds do not divide groups either."""
        return {"column": self.column}
