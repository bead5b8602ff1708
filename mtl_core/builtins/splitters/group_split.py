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
        import numpy as np

        from mtl_core.builtins.splitters.group_keys import number_groups
        from mtl_core.builtins.splitters.group_stratification import stratify_groups

        groups = number_groups(units, self.column)
        fractions = self.resolve_fractions(units)
        n_groups, n_splits = int(groups.max(initial=-1)) + 1, sum(fraction > 0 for fraction in fractions)
        if n_groups < n_splits:
            noun = "1 group" if n_groups == 1 else f"{n_groups} groups"
            raise MtlError(
                f"split.column: the {noun} of '{self.column}' cannot be divided into {n_splits} splits "
                "(groups that share an input are one group)"
            )
        counts = np.zeros((n_groups, len(units.columns)), dtype=np.int64)
        np.add.at(counts, groups, units.indicators)
        sizes = np.bincount(groups, weights=units.sizes, minlength=n_groups).astype(np.int64)
        return stratify_groups(counts, sizes, fractions, seed)[groups].astype("int8")

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Return which training examples are of a held-out group."""
        import numpy as np

        from mtl_core.builtins.splitters.group_keys import read_group_keys

        held_out_keys = set(read_group_keys(held_out, self.column)) - {None}
        return np.array([key in held_out_keys for key in read_group_keys(train, self.column)], dtype=np.bool_)

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with them."""
        return f"of a '{self.column}' that also has {held_out} examples"
