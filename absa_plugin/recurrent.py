"""Recurrent backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import BackboneSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape

Rate = Annotated[float, Field(ge=0, lt=1)]


class _Recurrent(BackboneSpec):
    """Options of the recurrent backbones."""

    hidden_dim: PositiveInt = 128
    """Width of each direction; a token's features are twice as wide."""
    layers: PositiveInt = 1
    """Number of stacked layers."""
    input_dropout: Rate = 0.0
    """Dropout of the incoming features."""
    dropout: Rate = 0.0
    """Dropout of each layer's output."""


class BiLSTM(_Recurrent):
    """Bidirectional LSTM over packed sequences (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["bilstm"] = "bilstm"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from torch.nn import LSTM

        from absa_plugin.recurrent_module import PackedRNN

        return PackedRNN(LSTM, inputs, self.hidden_dim, self.layers, self.input_dropout, self.dropout)


class BiGRU(_Recurrent):
    """Bidirectional GRU over packed sequences (Cho et al., 2014)."""

    type: Literal["bigru"] = "bigru"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from torch.nn import GRU

        from absa_plugin.recurrent_module import PackedRNN

        return PackedRNN(GRU, inputs, self.hidden_dim, self.layers, self.input_dropout, self.dropout)
