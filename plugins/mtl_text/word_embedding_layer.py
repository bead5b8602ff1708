"""The input layer of the word embedding encoder."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape

PADDING, UNKNOWN = 0, 1
N_SPECIAL_ROWS = 2
"""Number of rows before the first word."""


class WordEmbedding(nn.Module):
    """An embedding table with dropout of vectors and of words.

    Args:
        rows: Number of rows of the table.
        dimensions: Size of the word vectors.
        dropout: Dropout probability of the vectors.
        word_dropout: Probability that a word becomes unknown during training.
    """

    def __init__(self, rows: int, dimensions: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        table = torch.randn(rows, dimensions) * 0.1
        # Without word dropout, training texts may contain no unknown word: its row would keep its initial value.
        table[[PADDING, UNKNOWN]] = 0
        self.table = nn.Parameter(table)
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout
        self.output = FeatureShape(dimensions, sequence=True)

    def forward(self, rows: torch.Tensor) -> Features:
        """Return features `(batch, length, dimensions)` and their mask, from `(batch, length)`, int64."""
        mask = rows != PADDING
        if self.training and self.word_dropout:
            drop_mask = torch.rand(rows.shape, device=rows.device) < self.word_dropout
            rows = rows.masked_fill(drop_mask & mask, UNKNOWN)
        return Features(self.dropout(F.embedding(rows, self.table, padding_idx=PADDING)), mask)
