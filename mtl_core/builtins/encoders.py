"""The encoder for inputs that are numbers already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.array_encoder import StandardisedArrays


class ArrayEncoder(EncoderSpec):
    """Arrays of numbers, all of one size; flattened, and standardised by the training inputs."""

    type: Literal["array"] = "array"
    standardise: bool = True
    """Bring every column to mean 0 and deviation 1."""

    def build(self) -> StandardisedArrays:
        """Make the encoder."""
        from mtl_core.builtins.array_encoder import StandardisedArrays

        return StandardisedArrays(self.standardise)
