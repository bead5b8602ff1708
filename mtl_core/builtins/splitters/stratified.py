"""Iterative stratification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.splitters.fractions import FractionSplitter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.splitting import SplitUnits


class Stratified(FractionSplitter):
    """Iterative stratification over (task, class) pairs (Sechidis et al., 2011), with scikit-multilearn."""

    type: Literal["stratified"] = "stratified"

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Divide units so that every (task, class) pair has about the same frequency in every split."""
        from mtl_core.builtins.splitters.stratification import stratify

        return stratify(units.indicators, self.resolve_fractions(units), seed).astype("int8")
