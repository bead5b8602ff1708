"""The encoder of Morgan fingerprints, with or without descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from mtl_core.data import Encoder
from mtl_molecules.descriptor_scaling import DescriptorScaling
from mtl_molecules.featurizer import compute_features
from mtl_molecules.fingerprints import MorganFingerprints
from mtl_molecules.molecular_descriptors import MolecularDescriptors
from mtl_molecules.molecule_batch import MoleculeBatch, MoleculeFeatures
from mtl_molecules.molecule_input import MoleculeInput


class MorganEncoder(Encoder[MoleculeFeatures, MoleculeFeatures]):
    """Encoder of SMILES as fingerprints and descriptors.

    Args:
        fingerprints: Computes fingerprints.
        n_bits: Their length.
        descriptors: Whether descriptors are computed, too.
        layer: Width, dropout and input dropout of the input layer.
        cache_dir: The folder of the cache; None disables it.
        config_key: The key that set the folder; None if it is the default.
    """

    def __init__(
        self,
        fingerprints: MorganFingerprints,
        n_bits: int,
        descriptors: bool,
        layer: tuple[int, float, float],
        cache_dir: Path | None,
        config_key: str | None,
    ) -> None:
        self._fingerprints = fingerprints
        self._n_bits = n_bits
        self._descriptors = MolecularDescriptors() if descriptors else None
        self._layer = layer
        self._cache_dir, self._config_key = cache_dir, config_key
        self._scaling = DescriptorScaling()

    def parse(self, inputs: Sequence[Any]) -> list[MoleculeFeatures]:
        """Compute the features of molecules, or look them up.

        Raises:
            MtlError: If an input is no valid SMILES.
        """
        fingerprints = compute_features(self._fingerprints, inputs, self._cache_dir, self._config_key)
        if self._descriptors is None:
            return [MoleculeFeatures(fingerprint, None) for fingerprint in fingerprints]
        descriptors = compute_features(self._descriptors, inputs, self._cache_dir, self._config_key)
        return [MoleculeFeatures(*features) for features in zip(fingerprints, descriptors, strict=True)]

    def fit(self, parsed: Iterable[MoleculeFeatures]) -> None:
        """Compute mean and standard deviation of the descriptors."""
        rows = [molecule.descriptors for molecule in parsed if molecule.descriptors is not None]
        if rows:
            self._scaling.fit(rows)

    def encode(self, parsed: Sequence[MoleculeFeatures]) -> list[MoleculeFeatures]:
        """Return the features; the input layer standardises descriptors."""
        return list(parsed)

    def collate(self, items: Sequence[MoleculeFeatures]) -> MoleculeBatch:
        """Collate molecules."""
        return MoleculeBatch.from_features(items, self._fingerprints.counts)

    def input_layer(self) -> nn.Module:
        """Build the hidden layer."""
        scaling = None if self._descriptors is None else self._scaling.build_layer()
        return MoleculeInput(self._n_bits, scaling, *self._layer)

    def state(self) -> dict[str, Any]:
        """Return mean and standard deviation of the descriptors."""
        return {} if self._descriptors is None else {"descriptors": self._scaling.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set mean and standard deviation; molecules that a run predicts are not written to the cache."""
        self._cache_dir = None
        if self._descriptors is not None:
            self._scaling.restore(state["descriptors"])
