"""The spec of the LSTM backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import BackboneSpec, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape


class LSTM(BackboneSpec):
    """LSTM over packed sequences, without padding (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["lstm"] = "lstm"
    hidden_dim: PositiveInt = 64
    """Size of the hidden state per direction."""
    layers: PositiveInt = 1
    """Number of stacked layers."""
    bidirectional: bool = False
    """Add a backward direction; the features are then twice as wide."""
    input_dropout: Probability = 0.0
    """Dropout probability of the input features."""
    dropout: Probability = 0.0
    """Dropout probability of each layer's output."""
    output: Literal["last", "tokens"] = "last"
    """`last`: one vector per text, the last hidden state. `tokens`: one vector per token."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the module."""
        from torch import nn

        from mtl_core.nn import PackedRNN

        return PackedRNN(
            self.type,
            nn.LSTM,
            inputs,
            self.hidden_dim,
            self.layers,
            self.bidirectional,
            self.input_dropout,
            self.dropout,
            last=self.output == "last",
        )
