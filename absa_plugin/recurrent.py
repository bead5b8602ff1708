"""Recurrent backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import BackboneSpec, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape


class _Recurrent(BackboneSpec):
    """Options of the recurrent backbones."""

    hidden_dim: PositiveInt = 128
    """Width of each direction; a token's features are twice as wide."""
    layers: PositiveInt = 1
    """Number of stacked layers."""
    input_dropout: Probability = 0.0
    """Dropout of the incoming features."""
    dropout: Probability = 0.0
    """Dropout of each layer's output."""


class BiLSTM(_Recurrent):
    """Bidirectional LSTM over packed sequences (Hochreiter and Schmidhuber, 1997)."""

    type: Literal["bilstm"] = "bilstm"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from torch.nn import LSTM

        from mtl_core.nn import PackedRNN

        return PackedRNN(self.type, LSTM, inputs, self.hidden_dim, self.layers, True, self.input_dropout, self.dropout)


class BiGRU(_Recurrent):
    """Bidirectional GRU over packed sequences (Cho et al., 2014)."""

    type: Literal["bigru"] = "bigru"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        from torch.nn import GRU

        from mtl_core.nn import PackedRNN

        return PackedRNN(self.type, GRU, inputs, self.hidden_dim, self.layers, True, self.input_dropout, self.dropout)
