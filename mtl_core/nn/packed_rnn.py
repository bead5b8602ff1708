"""A recurrent network over packed sequences."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape


class PackedRNN(nn.Module):
    """A recurrent network over packed sequences, which skips padding.

    Args:
        backbone_type: The `type` of the backbone, for messages.
        cell: `nn.LSTM` or `nn.GRU`.
        inputs: Shape of the input features, which must be sequences.
        hidden_dim: Size of the hidden state per direction.
        layers: Number of stacked layers.
        bidirectional: Whether to add a backward direction.
        input_dropout: Dropout probability of the input features.
        dropout: Dropout probability of each layer's output.
        last: Whether to return only the last hidden state instead of one vector per token.

    Raises:
        MtlError: If the input features are not sequences.
    """

    def __init__(
        self,
        backbone_type: str,
        cell: type[nn.LSTM] | type[nn.GRU],
        inputs: FeatureShape,
        hidden_dim: int,
        layers: int,
        bidirectional: bool,
        input_dropout: float,
        dropout: float,
        last: bool = False,
    ) -> None:
        super().__init__()
        if not inputs.sequence:
            raise MtlError(
                f"the backbone '{backbone_type}' reads sequences, but the encoder returns one vector per example"
            )
        self.rnn = cell(
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
        """Return `(batch, output width)` or `(batch, length, output width)`, from `(batch, length, width)`.

        The last state of the backward direction is the one after the text's first token. Token features are zero at
        padding.
        """
        mask = features.mask
        assert mask is not None  # noqa: S101  checked in the constructor
        values = self.input_dropout(features.values)
        if bool(mask.all()):  # nothing to pack, and the kernel without packing is faster
            states, final = self.rnn(values)
        else:
            lengths = mask.sum(dim=1).cpu()
            packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
            packed_states, final = self.rnn(packed)
            if not self.last:
                states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=mask.shape[1])
        if self.last:
            hidden = final[0] if isinstance(final, tuple) else final
            return Features(self.dropout(torch.cat(tuple(hidden[-self.directions :]), dim=1)))
        return Features(self.dropout(states), mask)
