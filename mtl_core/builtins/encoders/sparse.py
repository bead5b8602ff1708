"""The encoder of sparse vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveInt

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import EncoderSpec, Layout

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.sparse import SparseEncoder


class Sparse(EncoderSpec):
    """Sparse vectors: bags of words, fingerprints, indicators of which few are not 0.

    An input is a text of indices from 0, each with an optional value (`12 57:2.5`), a list of pairs `[index, value]`, a
    row of a sparse matrix of SciPy, or a dense vector. Only entries that are not 0 are stored and computed. The input
    layer is the first hidden layer of the network: a linear layer, ReLU and dropout. With the backbone `identity` it is
    the only one; `mlp` adds further layers.
    """

    type: Literal["sparse"] = "sparse"
    layout: ClassVar[Layout | None] = "vector"
    features: PositiveInt | None = None
    """Number of features; null is the largest index of the training inputs + 1."""
    width: PositiveInt = 512
    """Width of the hidden layer."""
    dropout: Probability = 0.0
    """Dropout after the hidden layer."""
    input_dropout: Probability = 0.0
    """Dropout of the entries of an input."""

    def build(self) -> SparseEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.sparse import SparseEncoder

        return SparseEncoder(self.features, self.width, self.dropout, self.input_dropout)
