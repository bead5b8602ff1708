"""The LSTM backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import BackboneSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape

Rate = Annotated[float, Field(ge=0, lt=1)]


class LSTM(BackboneSpec):
    """LSTM that never reads padding (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["lstm"] = "lstm"
    hidden_dim: PositiveInt = 64
    """Width of each direction."""
    layers: PositiveInt = 1
    """How many are stacked."""
    bidirectional: bool = False
    """Read every text from its end, too; features are then twice as wide."""
    input_dropout: Rate = 0.0
    """Dropout of the incoming features."""
    dropout: Rate = 0.0
    """Dropout of each layer's output."""
    output: Literal["last", "tokens"] = "last"
    """`last`: one vector a text, the state after its last token. `tokens`: one vector a token."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Make the layers."""
        from mtl_text.lstm_module import PackedLSTM

        return PackedLSTM(
            inputs,
            self.hidden_dim,
            self.layers,
            self.bidirectional,
            self.input_dropout,
            self.dropout,
            last=self.output == "last",
        )
