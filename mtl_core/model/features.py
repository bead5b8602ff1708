"""What flows from the input layer through the backbone to the heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FeatureShape:
    """What a module can count on when it is built.

    Attributes:
        width: Numbers an example (or a token).
        sequence: Whether there is one vector a token, or one an example.
    """

    width: int
    sequence: bool


@dataclass(frozen=True)
class Features:
    """Features of a batch.

    Attributes:
        values: `(batch, length, width)` for sequences, else `(batch, width)`; float.
        mask: `(batch, length)`, bool, True where there is a token; None if there is no sequence.
            Every example has at least one token.
    """

    values: torch.Tensor
    mask: torch.Tensor | None = None

    def rows(self, rows: torch.Tensor) -> Features:
        """The features of some examples, `rows` being their indices; cut to the longest of them."""
        values = self.values.index_select(0, rows)  # several times as fast as `values[rows]`, backward too
        if self.mask is None:
            return Features(values)
        mask = self.mask[rows]
        length = int(mask.any(dim=0).nonzero()[-1]) + 1
        return Features(values[:, :length], mask[:, :length])

    def view(self) -> Features:
        """The same features in a tensor of their own, which gradients can be asked for; nothing is copied."""
        return Features(self.values.view_as(self.values), self.mask)

    def pooled(self) -> torch.Tensor:
        """One vector an example, `(batch, width)`: the mean over its tokens if there are tokens."""
        if self.mask is None:
            return self.values
        weights = self.mask.to(self.values.dtype).unsqueeze(-1)
        return (self.values * weights).sum(dim=1) / weights.sum(dim=1)
