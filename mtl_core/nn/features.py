"""Features: the data between input layer, backbone and heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FeatureShape:
    """The shape of features, known when a module is built.

    Attributes:
        width: Number of features per example, or per token.
        sequence: Whether there is one vector per token (True) or per example (False).
    """

    width: int
    sequence: bool


@dataclass(frozen=True)
class Features:
    """Features of a batch.

    Attributes:
        values: `(batch, length, width)` for sequences, else `(batch, width)`; float.
        mask: `(batch, length)`, bool, True for tokens, False for padding; None if there is no sequence.
            Every example has at least one token.
    """

    values: torch.Tensor
    mask: torch.Tensor | None = None

    def select_rows(self, row_indices: torch.Tensor) -> Features:
        """Return the features of the examples `row_indices`, `(n,)`, int64; truncated to the longest of them."""
        values = self.values.index_select(0, row_indices)  # several times faster than `values[rows]`, also in backward
        if self.mask is None:
            return Features(values)
        mask = self.mask[row_indices]
        length = int(mask.any(dim=0).nonzero()[-1]) + 1
        return Features(values[:, :length], mask[:, :length])

    def view(self) -> Features:
        """Return a view of the features as a separate tensor for `torch.autograd.grad`, without a copy."""
        return Features(self.values.view_as(self.values), self.mask)

    def mean_pool(self) -> torch.Tensor:
        """Return one vector per example, `(batch, width)`: the mean over its tokens for sequences."""
        if self.mask is None:
            return self.values
        weights = self.mask.to(self.values.dtype).unsqueeze(-1)
        return (self.values * weights).sum(dim=1) / weights.sum(dim=1)
