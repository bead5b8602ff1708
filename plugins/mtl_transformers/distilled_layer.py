"""The input layer: rows of a table of distilled vectors, and vectors of words that it does not hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape

PADDING, UNKNOWN = 0, 1
SPECIAL = 2
"""Rows before the first word's."""


@dataclass(frozen=True)
class WordBatch:
    """Texts as padded rows.

    Attributes:
        rows: `(batch, length)`, int64: rows of the table; from its end on, rows of `extra`. 0 is padding.
        lengths: `(batch,)`, int64: words of each text, at least 1.
        extra: `(words, model width)`, float32: what the model said of words that the table does not hold.
    """

    rows: torch.Tensor
    lengths: torch.Tensor
    extra: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """`(batch, length)`, bool: where there is a word."""
        return torch.arange(self.rows.shape[1], device=self.rows.device) < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> WordBatch:
        """Move to a device."""
        return WordBatch(self.rows.to(device), self.lengths.to(device), self.extra.to(device))

    def hiding(self, hidden: torch.Tensor) -> WordBatch:
        """Read some words, `(batch, length)`, bool, as unknown."""
        return replace(self, rows=self.rows.masked_fill(hidden & self.mask, UNKNOWN))


class DistilledVectors(nn.Module):
    """Looks vectors up; of an unseen word, makes one by the map that made the table.

    Args:
        table: `(words, dimensions)`, float32, the rows for padding and the unknown word before them.
        mean: `(model width,)`: of what the model said of the training words.
        matrix: `(model width, dimensions)`: the map.
        tune: Whether training moves the table.
        word_dropout: How often a word is read as unknown during training.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(
        self, table: torch.Tensor, mean: torch.Tensor, matrix: torch.Tensor, tune: bool, word_dropout: float
    ) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=tune)
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        self.word_dropout = word_dropout
        self.output = FeatureShape(table.shape[1], sequence=True)

    def forward(self, batch: WordBatch) -> Features:
        """Features `(batch, length, dimensions)` and their mask."""
        rows, mask = batch.rows, batch.mask
        if self.training and self.word_dropout:
            dropped = torch.rand(rows.shape, device=rows.device) < self.word_dropout
            rows = rows.masked_fill(dropped & mask, UNKNOWN)
        size = len(self.table)
        values = F.embedding(rows.clamp(max=size - 1), self.table, padding_idx=PADDING)
        if len(batch.extra):
            vectors = ((batch.extra - self.mean) @ self.matrix).to(values.dtype)
            places = rows >= size
            values = values.masked_scatter(places.unsqueeze(-1), vectors[rows[places] - size])
        return Features(values, mask)
