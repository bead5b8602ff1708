"""The encoder of sparse vectors and its input layer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from mtl_core.data.encoder import Encoder
from mtl_core.data.sparse_row import SparseRow, parse_sparse_row
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.sparse_linear import SparseBatch, SparseLinear


class SparseInput(nn.Module):
    """A hidden layer on sparse vectors: linear, ReLU, dropout.

    Args:
        n_features: Number of features of an input.
        width: Width of the layer.
        dropout: Dropout after the layer.
        input_dropout: Dropout of the entries of an input.
    """

    def __init__(self, n_features: int, width: int, dropout: float, input_dropout: float) -> None:
        super().__init__()
        self.linear = SparseLinear(n_features, width)
        self.output_layers = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        self._input_dropout = input_dropout
        self.output = FeatureShape(width)

    def forward(self, batch: SparseBatch) -> Features:
        """Return features `(batch, width)`."""
        if self.training and self._input_dropout:
            batch = batch.drop_entries(self._input_dropout)
        return Features(self.output_layers(self.linear(batch)))


class SparseEncoder(Encoder[SparseRow, SparseRow]):
    """Encoder of sparse vectors. Items are their non-zero entries.

    Args:
        n_features: Number of features; None for the largest index of the training inputs + 1.
        width: Width of the input layer.
        dropout: Dropout after the input layer.
        input_dropout: Dropout of the entries of an input.
    """

    def __init__(self, n_features: int | None, width: int, dropout: float, input_dropout: float) -> None:
        self._is_fixed = n_features is not None
        self._n_features = n_features or 0
        self._width, self._dropout, self._input_dropout = width, dropout, input_dropout

    def parse(self, inputs: Sequence[Any]) -> list[SparseRow]:
        """Parse inputs.

        Raises:
            MtlError: If an input is no sparse vector.
        """
        return [parse_sparse_row(value) for value in inputs]

    def fit(self, parsed: Iterable[SparseRow]) -> None:
        """Set the number of features, unless it is fixed.

        Raises:
            MtlError: If no training input has an entry.
        """
        largest = max((row.n_features for row in parsed), default=0)
        if not self._is_fixed:
            self._n_features = largest
        if not self._n_features:
            raise MtlError("the encoder 'sparse' found no entry in the training inputs; `features` sets their number")

    def encode(self, parsed: Sequence[SparseRow]) -> list[SparseRow]:
        """Return the rows.

        Raises:
            MtlError: If an index is too large.
        """
        for row in parsed:
            if row.n_features > self._n_features:
                hint = "" if self._is_fixed else "; the key `features` of the encoder sets a larger number of features"
                raise MtlError(
                    f"an input has the index {row.n_features - 1}, expected indices from 0 to {self._n_features - 1}"
                    + hint
                )
        return list(parsed)

    def collate(self, items: Sequence[SparseRow]) -> SparseBatch:
        """Collate rows."""
        return SparseBatch.from_rows(items)

    def input_layer(self) -> nn.Module:
        """Build the hidden layer."""
        return SparseInput(self._n_features, self._width, self._dropout, self._input_dropout)

    def state(self) -> dict[str, Any]:
        """Return the number of features."""
        return {"features": self._n_features}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the number of features."""
        self._n_features, self._is_fixed = state["features"], True
