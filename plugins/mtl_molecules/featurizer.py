"""Base class of functions from a SMILES to features, and their cache on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from mtl_core.data import DiskCache

Value = TypeVar("Value")
CHUNK_SIZE = 1024
"""Number of molecules per write to the cache."""


class Featurizer(ABC, Generic[Value]):
    """A function from a SMILES to features.

    Attributes:
        name: What it computes, a Python identifier.
    """

    name: str

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """The values on which features depend, besides the SMILES."""

    @abstractmethod
    def compute(self, smiles: str) -> Value:
        """Compute the features of a molecule.

        Raises:
            MtlError: If the SMILES is invalid.
        """

    @abstractmethod
    def to_bytes(self, value: Value) -> bytes:
        """Return features as bytes."""

    @abstractmethod
    def from_bytes(self, data: bytes) -> Value:
        """Return features from bytes."""


def compute_features(
    featurizer: Featurizer[Value], smiles: Sequence[str], cache_dir: Path | None, config_key: str | None = None
) -> list[Value]:
    """Look up features in the cache, and compute and store those that are missing.

    Args:
        featurizer: Computes features.
        smiles: The molecules.
        cache_dir: The folder of the cache; None disables it.
        config_key: The key that set the folder, for the error if it is not writable; None if that is no error.

    Raises:
        MtlError: If a SMILES is invalid.
    """
    # A single molecule is one whose error is located: no reason to open a file.
    cache = DiskCache(cache_dir if len(smiles) > 1 else None, featurizer.name, featurizer.identity, config_key)
    values: list[Value] = []
    for start in range(0, len(smiles), CHUNK_SIZE):
        chunk = smiles[start : start + CHUNK_SIZE]
        cached = cache.load(chunk)
        chunk_values = [
            featurizer.from_bytes(cached[index]) if index in cached else featurizer.compute(text)
            for index, text in enumerate(chunk)
        ]
        new_values = {text: chunk_values[index] for index, text in enumerate(chunk) if index not in cached}
        if new_values:
            cache.store({text: featurizer.to_bytes(value) for text, value in new_values.items()})
        values += chunk_values
    return values
