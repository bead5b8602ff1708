"""The input layer: rows of a table of vectors."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape

PADDING, UNKNOWN = 0, 1
SPECIAL = 2
"""Rows before the first word's."""


class WordEmbedding(nn.Module):
    """Looks vectors up.

    Args:
        rows: Rows of the table.
        dimensions: Width of the vectors.
        dropout: Dropout of the vectors.
        word_dropout: How often a word is read as unknown during training.
    """

    def __init__(self, rows: int, dimensions: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        table = torch.randn(rows, dimensions) * 0.1
        # Without word dropout no training text may hold an unknown word: its row would stay as it is drawn.
        table[[PADDING, UNKNOWN]] = 0
        self.table = nn.Parameter(table)
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout
        self.output = FeatureShape(dimensions, sequence=True)

    def forward(self, rows: torch.Tensor) -> Features:
        """From `(batch, length)`, int64, to features `(batch, length, dimensions)` and their mask."""
        mask = rows != PADDING
        if self.training and self.word_dropout:
            dropped = torch.rand(rows.shape, device=rows.device) < self.word_dropout
            rows = rows.masked_fill(dropped & mask, UNKNOWN)
        return Features(self.dropout(F.embedding(rows, self.table, padding_idx=PADDING)), mask)
