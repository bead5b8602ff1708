"""Canonical SMILES, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import rdkit
from rdkit import Chem

from mtl_core import MtlError
from mtl_molecules.featurizer import Featurizer
from mtl_molecules.read_smiles import read_smiles


@dataclass(frozen=True)
class StandardSmiles:
    """The canonical form of a SMILES.

    Attributes:
        canonical: The canonical SMILES, equal for all spellings of a molecule; None if the SMILES is invalid.
        error: Why it is invalid.
    """

    canonical: str | None = None
    error: str | None = None


class Standardizer(Featurizer[StandardSmiles]):
    """Computes canonical SMILES; an invalid SMILES is no error, but a result."""

    name = "smiles"

    @property
    def identity(self) -> Mapping[str, Any]:
        """The version of RDKit."""
        return {"rdkit": rdkit.__version__}

    def compute(self, smiles: str) -> StandardSmiles:
        """Return the canonical SMILES, or the error."""
        try:
            return StandardSmiles(canonical=Chem.MolToSmiles(read_smiles(smiles)))
        except MtlError as error:
            return StandardSmiles(error=str(error))

    def to_bytes(self, value: StandardSmiles) -> bytes:
        """Return a result as JSON."""
        return json.dumps(asdict(value)).encode()

    def from_bytes(self, data: bytes) -> StandardSmiles:
        """Return a result from JSON."""
        return StandardSmiles(**json.loads(data))
