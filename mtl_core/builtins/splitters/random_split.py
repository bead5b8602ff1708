"""Random assignment to splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.splitters.fractions import FractionSplitter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.splitting import SplitUnits


class RandomSplit(FractionSplitter):
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
