"""The module of the recurrent backbones."""

from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mtl_core import Features, FeatureShape, MtlError


class PackedRNN(nn.Module):
    """A bidirectional recurrent network that skips padding.

    Args:
        cell: `nn.LSTM` or `nn.GRU`.
        inputs: Shape of the incoming features; they must be a sequence.
        hidden_dim: Width of each direction.
        layers: Number of stacked layers.
        input_dropout: Dropout of the incoming features.
        dropout: Dropout of each layer's output.

    Raises:
        MtlError: If the features are not a sequence.
    """

    def __init__(
        self,
        cell: type[nn.LSTM] | type[nn.GRU],
        inputs: FeatureShape,
        hidden_dim: int,
        layers: int,
        input_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        if not inputs.sequence:
            raise MtlError("a recurrent backbone reads sequences, but the encoder returns one vector per example")
        self.rnn = cell(
            inputs.width,
            hidden_dim,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.input_dropout = nn.Dropout(input_dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = FeatureShape(2 * hidden_dim, sequence=True)

    def forward(self, features: Features) -> Features:
        """Map `(batch, length, width)` to `(batch, length, 2 · hidden_dim)`, with zeros at padding."""
        mask = features.mask
        assert mask is not None  # noqa: S101  checked when built
        values = self.input_dropout(features.values)
        if bool(mask.all()):  # nothing to pack, and the unpacked kernel is faster
            states, _ = self.rnn(values)
            return Features(self.dropout(states), mask)
        lengths = mask.sum(dim=1).cpu()
        packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
        packed_states, _ = self.rnn(packed)
        states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=mask.shape[1])
        return Features(self.dropout(states), mask)
