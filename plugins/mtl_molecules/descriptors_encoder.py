"""The encoder of descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import Features, FeatureShape
from mtl_core.data import Encoder
from mtl_molecules.descriptor_scaling import DescriptorScaling, StandardisedDescriptors
from mtl_molecules.featurizer import compute_features
from mtl_molecules.molecular_descriptors import MolecularDescriptors

Row = NDArray[np.float32]
"""The descriptors of a molecule, `(descriptors,)`; NaN for a missing one."""


class DescriptorsInput(nn.Module):
    """An input layer that standardises descriptors.

    Args:
        scaling: Standardises descriptors.
    """

    def __init__(self, scaling: StandardisedDescriptors) -> None:
        super().__init__()
        self.scaling = scaling
        self.output = FeatureShape(len(scaling.mean))

    def forward(self, descriptors: torch.Tensor) -> Features:
        """Return features `(batch, descriptors)`."""
        return Features(self.scaling(descriptors))


class DescriptorsEncoder(Encoder[Row, Row]):
    """Encoder of SMILES as descriptors.

    Args:
        cache_dir: The folder of the cache; None disables it.
        config_key: The key that set the folder; None if it is the default.
    """

    def __init__(self, cache_dir: Path | None, config_key: str | None) -> None:
        self._cache_dir, self._config_key = cache_dir, config_key
        self._descriptors = MolecularDescriptors()
        self._scaling = DescriptorScaling()

    def parse(self, inputs: Sequence[Any]) -> list[Row]:
        """Compute the descriptors of molecules, or look them up.

        Raises:
            MtlError: If an input is no valid SMILES.
        """
        return compute_features(self._descriptors, inputs, self._cache_dir, self._config_key)

    def fit(self, parsed: Iterable[Row]) -> None:
        """Compute mean and standard deviation."""
        self._scaling.fit(parsed)

    def encode(self, parsed: Sequence[Row]) -> list[Row]:
        """Return the descriptors; the input layer standardises them."""
        return list(parsed)

    def collate(self, items: Sequence[Row]) -> torch.Tensor:
        """Stack descriptors to `(batch, descriptors)`, float32."""
        return torch.from_numpy(np.stack(items))

    def input_layer(self) -> nn.Module:
        """Build the layer that standardises."""
        return DescriptorsInput(self._scaling.build_layer())

    def state(self) -> dict[str, Any]:
        """Return mean and standard deviation."""
        return self._scaling.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set mean and standard deviation; molecules that a run predicts are not written to the cache."""
        self._cache_dir = None
        self._scaling.restore(state)
