"""Morgan fingerprints as sparse rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import rdkit
from rdkit.Chem import rdFingerprintGenerator

from mtl_core.data import SparseRow
from mtl_molecules.featurizer import Featurizer
from mtl_molecules.read_smiles import read_smiles


class MorganFingerprints(Featurizer[SparseRow]):
    """Morgan fingerprints (Rogers and Hahn, 2010): the neighbourhoods of all atoms, hashed to bits.

    Args:
        radius: Number of bonds from the central atom of a neighbourhood.
        n_bits: Number of bits.
        counts: Whether values are the numbers of neighbourhoods per bit; otherwise they are 1.
    """

    name = "fingerprints"

    def __init__(self, radius: int, n_bits: int, counts: bool) -> None:
        self._settings = {"radius": radius, "bits": n_bits, "counts": counts}
        self.counts = counts
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=n_bits)

    @property
    def identity(self) -> Mapping[str, Any]:
        """The settings and the version of RDKit."""
        return {**self._settings, "rdkit": rdkit.__version__}

    def compute(self, smiles: str) -> SparseRow:
        """Compute the fingerprint of a molecule."""
        molecule = read_smiles(smiles)
        if self.counts:
            counts = self._generator.GetCountFingerprint(molecule).GetNonzeroElements()
            return SparseRow.from_entries(np.array(list(counts), dtype=np.int64), list(counts.values()))
        bits = list(self._generator.GetFingerprint(molecule).GetOnBits())
        return SparseRow.from_entries(np.array(bits, dtype=np.int64))

    def to_bytes(self, value: SparseRow) -> bytes:
        """Return a fingerprint as bytes."""
        return value.tobytes()

    def from_bytes(self, data: bytes) -> SparseRow:
        """Return a fingerprint from bytes."""
        return SparseRow.frombytes(data)
