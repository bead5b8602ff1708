"""Heads that accept any features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from mtl_core.plugins.specs import HeadSpec, Level

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class Linear(HeadSpec):
    """One linear layer; for a sequence, on the mean of its tokens."""

    type: Literal["linear"] = "linear"
    dropout: DropoutRate = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer."""
        from mtl_core.builtins.modules import LinearHead

        return LinearHead(inputs, outputs, self.dropout)


class TokenLinear(HeadSpec):
    """One linear layer applied to every token, for token-level tasks."""

    type: Literal["token-linear"] = "token-linear"
    level: ClassVar[Level] = "token"
    dropout: DropoutRate = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer.

        Raises:
            MtlError: If the features are not a sequence.
        """
        from mtl_core.builtins.token_heads import TokenLinearHead

        return TokenLinearHead(inputs, outputs, self.dropout)


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
        from mtl_core.builtins.token_heads import SequenceDecoderHead

        return SequenceDecoderHead(inputs, outputs, self.hidden_dim)
