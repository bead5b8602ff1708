"""Encoded molecules and their batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data import SparseRow
from mtl_core.nn import SparseBatch


@dataclass(frozen=True, slots=True)
class MoleculeFeatures:
    """The features of a molecule.

    Attributes:
        fingerprint: The entries of the fingerprint.
        descriptors: `(descriptors,)`, float32, NaN for a missing one; None if they are not used.
    """

    fingerprint: SparseRow
    descriptors: NDArray[np.float32] | None


@dataclass(frozen=True)
class MoleculeBatch:
    """A batch of molecules.

    Attributes:
        fingerprints: The fingerprints; values are log(1 + count).
        descriptors: `(batch, descriptors)`, float32; None if they are not used.
    """

    fingerprints: SparseBatch
    descriptors: torch.Tensor | None

    @classmethod
    def from_features(cls, molecules: Sequence[MoleculeFeatures], counts: bool) -> MoleculeBatch:
        """Collate molecules.

        Args:
            molecules: The molecules.
            counts: Whether values of fingerprints are counts.
        """
        fingerprints = SparseBatch.from_rows([molecule.fingerprint for molecule in molecules])
        if counts:
            values = fingerprints.values
            values = torch.ones(len(fingerprints.indices)) if values is None else values
            fingerprints = SparseBatch(fingerprints.indices, fingerprints.offsets, values.log1p())
        rows = [molecule.descriptors for molecule in molecules if molecule.descriptors is not None]
        return cls(fingerprints, torch.from_numpy(np.stack(rows)) if rows else None)

    def to(self, device: Any) -> MoleculeBatch:
        """Return the batch on a device."""
        descriptors = None if self.descriptors is None else self.descriptors.to(device)
        return MoleculeBatch(self.fingerprints.to(device), descriptors)
