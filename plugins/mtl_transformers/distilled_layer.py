"""The input layer of the encoder `distilled`: a table of word vectors, and a projection of OOV vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape

PADDING, UNKNOWN = 0, 1
N_SPECIAL_ROWS = 2
"""Number of rows before the first word."""


@dataclass(frozen=True)
class WordBatch:
    """A batch of texts as padded rows.

    Attributes:
        rows: `(batch, length)`, int64: rows of the table; larger indices are out-of-vocabulary words, as
            rows of `oov_vectors`. 0 is padding.
        lengths: `(batch,)`, int64: number of words of each text, at least 1.
        oov_vectors: `(words, model width)`, float32: the model's vectors of these words.
    """

    rows: torch.Tensor
    lengths: torch.Tensor
    oov_vectors: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """`(batch, length)`, bool: False for padding."""
        return torch.arange(self.rows.shape[1], device=self.rows.device) < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> WordBatch:
        """Move the batch to a device."""
        return WordBatch(self.rows.to(device), self.lengths.to(device), self.oov_vectors.to(device))

    def mask_words(self, word_mask: torch.Tensor) -> WordBatch:
        """Return a copy in which the masked words, `(batch, length)`, bool, are the unknown word."""
        return replace(self, rows=self.rows.masked_fill(word_mask & self.mask, UNKNOWN))


class DistilledEmbedding(nn.Module):
    """A table of word vectors; vectors of out-of-vocabulary words are projected like those of the table.

    Args:
        table: `(rows, dimensions)`, float32; the first rows are those of padding and the unknown word.
        mean: `(model width,)`, float32: mean of the model's vectors of the training words.
        matrix: `(model width, dimensions)`, float32: the projection.
        tune: Whether the table is trained.
        word_dropout: Probability that a word becomes unknown during training.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(
        self, table: torch.Tensor, mean: torch.Tensor, matrix: torch.Tensor, trainable: bool, word_dropout: float
    ) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=trainable)
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        self.word_dropout = word_dropout
        self.output = FeatureShape(table.shape[1], sequence=True)

    def forward(self, batch: WordBatch) -> Features:
        """Return features `(batch, length, dimensions)` and their mask."""
        rows, mask = batch.rows, batch.mask
        if self.training and self.word_dropout:
            dropout_mask = torch.rand(rows.shape, device=rows.device) < self.word_dropout
            rows = rows.masked_fill(dropout_mask & mask, UNKNOWN)
        n_rows = len(self.table)
        values = F.embedding(rows.clamp(max=n_rows - 1), self.table, padding_idx=PADDING)
        if len(batch.oov_vectors):
            vectors = ((batch.oov_vectors - self.mean) @ self.matrix).to(values.dtype)
            oov_mask = rows >= n_rows
            values = values.masked_scatter(oov_mask.unsqueeze(-1), vectors[rows[oov_mask] - n_rows])
        return Features(values, mask)
