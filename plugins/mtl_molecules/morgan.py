"""The spec of the encoder of Morgan fingerprints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from mtl_core import CacheDir, EncoderSpec, Layout, Probability
from mtl_molecules.require_rdkit import require_rdkit

if TYPE_CHECKING:
    from mtl_molecules.morgan_encoder import MorganEncoder


class Morgan(EncoderSpec):
    """Molecules, written as SMILES, as Morgan fingerprints (Rogers and Hahn, 2010), with or without descriptors.

    The input layer is the first hidden layer of the network: a linear layer on the entries of the fingerprint that are
    not 0 and on the standardised descriptors, ReLU and dropout. With the backbone `identity` it is the only one; `mlp`
    adds further layers.
    """

    type: Literal["morgan"] = "morgan"
    layout: ClassVar[Layout | None] = "vector"
    radius: Annotated[int, Field(ge=0, le=10)] = 2
    """Radius in bonds; 2 is ECFP4."""
    bits: Annotated[int, Field(ge=16, le=2**20)] = 2048
    """Length of the fingerprint."""
    counts: bool = False
    """Whether an entry is log(1 + count) of its substructures; otherwise it is 1."""
    descriptors: bool = False
    """Whether the network also reads the two-dimensional descriptors of RDKit, as the encoder `descriptors` does."""
    width: PositiveInt = 1024
    """Width of the hidden layer."""
    dropout: Probability = 0.5
    """Dropout after the hidden layer."""
    input_dropout: Probability = 0.0
    """Dropout of the entries of the fingerprint, and of the descriptors."""
    cache: CacheDir = True
    """Whether to cache fingerprints and descriptors on disk (in `~/.cache/mtl`), or the folder of the cache."""

    def build(self) -> MorganEncoder:
        """Build the encoder.

        Raises:
            MtlError: If RDKit is not installed.
        """
        require_rdkit("encoder", self.type)
        from mtl_core.data import resolve_cache_dir
        from mtl_molecules.fingerprints import MorganFingerprints
        from mtl_molecules.morgan_encoder import MorganEncoder

        return MorganEncoder(
            MorganFingerprints(self.radius, self.bits, self.counts),
            self.bits,
            self.descriptors,
            (self.width, self.dropout, self.input_dropout),
            resolve_cache_dir(self.cache),
            "encoder.cache" if isinstance(self.cache, Path) else None,
        )
