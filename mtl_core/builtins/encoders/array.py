"""The encoder for numeric arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.array import StandardisedArrays


class ArrayEncoder(EncoderSpec):
    """Numeric arrays of equal size, flattened and standardised with the statistics of the training inputs."""

    type: Literal["array"] = "array"
    standardise: bool = True
    """Standardise every column to mean 0 and standard deviation 1."""

    def build(self) -> StandardisedArrays:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.array import StandardisedArrays

        return StandardisedArrays(self.standardise)
