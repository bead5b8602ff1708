"""A linear layer on sparse vectors, and batches of such vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from mtl_core.data.sparse_row import SparseRow


@dataclass(frozen=True)
class SparseBatch:
    """A batch of sparse vectors.

    Attributes:
        indices: `(entries,)`, int64: the features of the non-zero entries, one example after the other.
        offsets: `(batch,)`, int64: where each example starts.
        values: `(entries,)`, float32; None if all are 1.
    """

    indices: torch.Tensor
    offsets: torch.Tensor
    values: torch.Tensor | None = None

    @classmethod
    def from_rows(cls, rows: Sequence[SparseRow]) -> SparseBatch:
        """Collate rows."""
        sizes = [len(row.indices) for row in rows]
        offsets = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
        indices = np.concatenate([row.indices for row in rows]).astype(np.int64)
        values = None
        if any(row.values is not None for row in rows):
            parts = [np.ones(size) if row.values is None else row.values for size, row in zip(sizes, rows, strict=True)]
            values = torch.from_numpy(np.concatenate(parts).astype(np.float32))
        return cls(torch.from_numpy(indices), torch.from_numpy(offsets), values)

    def to(self, device: Any) -> SparseBatch:
        """Return the batch on a device."""
        values = None if self.values is None else self.values.to(device)
        return SparseBatch(self.indices.to(device), self.offsets.to(device), values)

    def drop_entries(self, probability: float) -> SparseBatch:
        """Return the batch after dropout of its entries: each is 0 with a probability, the others are scaled up."""
        values = torch.ones_like(self.indices, dtype=torch.float32) if self.values is None else self.values
        return SparseBatch(self.indices, self.offsets, functional.dropout(values, probability))


class SparseLinear(nn.Module):
    """A linear layer that reads sparse vectors: equal to `nn.Linear` on the dense vectors, at the cost of the entries.

    The weights of the non-zero features are summed by `embedding_bag`. Weights and bias are initialised as those of
    `nn.Linear`.

    Args:
        n_features: Number of features of an input.
        width: Number of outputs.

    Example:
        >>> layer = SparseLinear(4, 2)
        >>> batch = SparseBatch(torch.tensor([0, 3, 1]), torch.tensor([0, 2]))
        >>> dense = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])
        >>> torch.allclose(layer(batch), dense @ layer.weight + layer.bias)
        True
    """

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(n_features, 1))
        self.weight = nn.Parameter(torch.empty(n_features, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, batch: SparseBatch) -> torch.Tensor:
        """Return `(batch, width)`, float32."""
        weights = None if batch.values is None else batch.values.to(self.weight.dtype)
        sums = functional.embedding_bag(
            batch.indices, self.weight, batch.offsets, mode="sum", per_sample_weights=weights
        )
        return sums + self.bias
