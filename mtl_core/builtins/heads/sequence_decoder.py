"""The recurrent decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveInt

from mtl_core.plugins.specs import HeadSpec, Level

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class SequenceDecoder(HeadSpec):
    """A recurrent decoder from the mean of the tokens to a sequence (Srivastava et al., 2015)."""

    type: Literal["sequence-decoder"] = "sequence-decoder"
    level: ClassVar[Level] = "token"
    hidden_dim: PositiveInt = 128
    """Hidden size of the decoder."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's decoder.

        Raises:
            MtlError: If the features are not a sequence.
        """
        from mtl_core.builtins.heads.modules.sequence_decoder import SequenceDecoderHead

        return SequenceDecoderHead(inputs, outputs, self.hidden_dim)
