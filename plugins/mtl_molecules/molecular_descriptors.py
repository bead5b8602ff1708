"""The descriptors of RDKit as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import rdkit
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem import Descriptors

from mtl_molecules.featurizer import Featurizer
from mtl_molecules.read_smiles import read_smiles

NAMES = tuple(name for name, _ in Descriptors.descList)
"""The names of the descriptors."""
_MAX = float(np.finfo(np.float32).max)


class MolecularDescriptors(Featurizer[NDArray[np.float32]]):
    """All two-dimensional descriptors of RDKit, `(descriptors,)`, float32; NaN where RDKit computes none."""

    name = "descriptors"

    @property
    def identity(self) -> Mapping[str, Any]:
        """The names of the descriptors and the version of RDKit."""
        return {"names": NAMES, "rdkit": rdkit.__version__}

    def compute(self, smiles: str) -> NDArray[np.float32]:
        """Compute the descriptors of a molecule."""
        molecule = read_smiles(smiles)
        with rdBase.BlockLogs():
            descriptors = Descriptors.CalcMolDescriptors(molecule, missingVal=np.nan, silent=True)
        values = np.array([descriptors[name] for name in NAMES], dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return np.clip(values, -_MAX, _MAX).astype(np.float32)

    def to_bytes(self, value: NDArray[np.float32]) -> bytes:
        """Return descriptors as bytes."""
        return value.tobytes()

    def from_bytes(self, data: bytes) -> NDArray[np.float32]:
        """Return descriptors from bytes."""
        return np.frombuffer(data, dtype=np.float32)
