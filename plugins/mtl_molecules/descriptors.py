"""The spec of the encoder of descriptors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core import CacheDir, EncoderSpec, Layout
from mtl_molecules.require_rdkit import require_rdkit

if TYPE_CHECKING:
    from mtl_molecules.descriptors_encoder import DescriptorsEncoder


class Descriptors(EncoderSpec):
    """Molecules, written as SMILES, as the two-dimensional descriptors of RDKit.

    Descriptors are standardised with the statistics of the training molecules, and bounded by 6 standard deviations.
    One that RDKit cannot compute for a molecule has the mean.
    """

    type: Literal["descriptors"] = "descriptors"
    layout: ClassVar[Layout | None] = "vector"
    cache: CacheDir = True
    """Whether to cache descriptors on disk (in `~/.cache/mtl`), or the folder of the cache."""

    def build(self) -> DescriptorsEncoder:
        """Build the encoder.

        Raises:
            MtlError: If RDKit is not installed.
        """
        require_rdkit("encoder", self.type)
        from mtl_core.data import resolve_cache_dir
        from mtl_molecules.descriptors_encoder import DescriptorsEncoder

        return DescriptorsEncoder(
            resolve_cache_dir(self.cache), "encoder.cache" if isinstance(self.cache, Path) else None
        )
