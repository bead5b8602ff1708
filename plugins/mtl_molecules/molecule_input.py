"""The input layer of molecules."""

from __future__ import annotations

import torch
from torch import nn

from mtl_core import Features, FeatureShape
from mtl_core.nn import SparseLinear
from mtl_molecules.descriptor_scaling import StandardisedDescriptors
from mtl_molecules.molecule_batch import MoleculeBatch


class MoleculeInput(nn.Module):
    """A hidden layer on fingerprints and descriptors: linear, ReLU, dropout.

    Args:
        n_bits: Length of the fingerprints.
        scaling: Standardises descriptors; None if they are not used.
        width: Width of the layer.
        dropout: Dropout after the layer.
        input_dropout: Dropout of the entries of fingerprints, and of descriptors.
    """

    def __init__(
        self,
        n_bits: int,
        scaling: StandardisedDescriptors | None,
        width: int,
        dropout: float,
        input_dropout: float,
    ) -> None:
        super().__init__()
        self.fingerprint_layer = SparseLinear(n_bits, width)
        self.scaling = scaling
        self.descriptor_layer = None if scaling is None else nn.Linear(len(scaling.mean), width, bias=False)
        self.descriptor_dropout = nn.Dropout(input_dropout)
        self.output_layers = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        self._input_dropout = input_dropout
        self.output = FeatureShape(width)

    def forward(self, batch: MoleculeBatch) -> Features:
        """Return features `(batch, width)`."""
        fingerprints = batch.fingerprints
        if self.training and self._input_dropout:
            fingerprints = fingerprints.drop_entries(self._input_dropout)
        hidden: torch.Tensor = self.fingerprint_layer(fingerprints)
        if self.scaling is not None and self.descriptor_layer is not None and batch.descriptors is not None:
            hidden = hidden + self.descriptor_layer(self.descriptor_dropout(self.scaling(batch.descriptors)))
        return Features(self.output_layers(hidden))
