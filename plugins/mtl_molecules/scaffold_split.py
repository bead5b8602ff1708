"""The spec of the scaffold splitter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from mtl_core import MtlError, Probability, SplitterSpec
from mtl_molecules.require_rdkit import require_rdkit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data import ExampleMetadata, SplitUnits

DEFAULT_VALIDATION_FRACTION = 0.1


class ScaffoldSplit(SplitterSpec):
    """A split by Bemis-Murcko scaffolds (Bemis and Murcko, 1996): all molecules of a scaffold are in one part.

    Scaffolds are assigned from the most to the least frequent: to training while its share lasts, then to validation,
    then to test, as in MoleculeNet (Wu et al., 2018). The seed plays no part. Molecules without a ring have one
    scaffold together.
    """

    type: Literal["scaffold"] = "scaffold"
    column: str = "smiles"
    """The column of SMILES; of the loader `molecules` its `text`, of others one of `data.metadata`."""
    validation: Probability | None = None
    """Fraction of training molecules used for validation; null is 0.1, or 0 if the data has a validation split."""
    test: Probability = 0.0
    """Fraction of training molecules used for testing; for data without a test split."""

    @model_validator(mode="after")
    def _validate_sum(self) -> ScaffoldSplit:
        total = (DEFAULT_VALIDATION_FRACTION if self.validation is None else self.validation) + self.test
        if total >= 1:
            raise ValueError(f"validation and test add up to {total:g} of the molecules; the sum must be below 1")
        return self

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Assign whole scaffolds.

        Raises:
            MtlError: If RDKit is not installed, there is no such column, or a part with a share would be empty.
        """
        require_rdkit("split", self.type)
        from mtl_molecules.scaffolds import split_by_scaffold

        validation = self.validation
        if validation is None:
            validation = 0.0 if units.has_validation else DEFAULT_VALIDATION_FRACTION
        return split_by_scaffold(units, self.column, validation, self.test)

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Return which training molecules have the scaffold of a held-out molecule."""
        import numpy as np

        require_rdkit("split", self.type)
        from mtl_molecules.scaffolds import compute_scaffolds

        held_out_scaffolds = set(compute_scaffolds(held_out, self.column))
        return np.array([one in held_out_scaffolds for one in compute_scaffolds(train, self.column)], dtype=np.bool_)

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with them."""
        return f"molecules with the scaffold of a {held_out} molecule"

    def build_fold_keys(self) -> dict[str, object]:
        """Refuse a cross-validation.

        Raises:
            MtlError: Always: folds would divide scaffolds.
        """
        raise MtlError(
            "split: folds would divide the scaffolds that 'scaffold' keeps together; compute the scaffold of each "
            "molecule as a column, and use the splitter 'group' with it"
        )
