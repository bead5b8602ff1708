"""The module behind the LSTM backbone."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mtl_core import Features, FeatureShape, MtlError


class PackedLSTM(nn.Module):
    """An LSTM that never reads padding (Hochreiter and Schmidhuber, 1997).

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        hidden_dim: Width of each direction.
        layers: How many are stacked.
        bidirectional: Whether a second one reads from the end.
        input_dropout: Dropout of the incoming features.
        dropout: Dropout of each layer's output.
        last: Whether to give the last state alone, not one a token.

    Raises:
        MtlError: If the features are no sequence.
    """

    def __init__(
        self,
        inputs: FeatureShape,
        hidden_dim: int,
        layers: int,
        bidirectional: bool,
        input_dropout: float,
        dropout: float,
        last: bool,
    ) -> None:
        super().__init__()
        if not inputs.sequence:
            raise MtlError("the backbone 'lstm' reads sequences, but the encoder gives one vector an example")
        self.rnn = nn.LSTM(
            inputs.width,
            hidden_dim,
            num_layers=layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.input_dropout = nn.Dropout(input_dropout)
        self.dropout = nn.Dropout(dropout)
        self.last = last
        self.directions = 2 if bidirectional else 1
        self.output = FeatureShape(hidden_dim * self.directions, sequence=not last)

    def forward(self, features: Features) -> Features:
        """From `(batch, length, width)` to `(batch, output width)`, or to `(batch, length, output width)`.

        The last state of the backward direction is the one after the text's first token. Features of tokens are
        zeros at padding.
        """
        mask = features.mask
        assert mask is not None  # noqa: S101  checked when built
        values = self.input_dropout(features.values)
        if bool(mask.all()):  # nothing to pack, and the unpacked kernel is faster
            states, (last, _) = self.rnn(values)
        else:
            lengths = mask.sum(dim=1).cpu()
            packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
            packed_states, (last, _) = self.rnn(packed)
            if not self.last:
                states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=mask.shape[1])
        if self.last:
            return Features(self.dropout(torch.cat(tuple(last[-self.directions :]), dim=1)))
        return Features(self.dropout(states), mask)
