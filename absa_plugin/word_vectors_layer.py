"""The embedding layer of word vectors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape


@dataclass(frozen=True)
class TokenBatch:
    """Texts as padded token ids.

    Attributes:
        ids: `(batch, length)`, int64: indices into the table; beyond its end, indices into `oov_vectors`.
            0 is padding.
        lengths: `(batch,)`, int64: number of tokens per text, at least 1.
        oov_vectors: `(words, width)`, float32: vectors of words that are not in the table.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    oov_vectors: torch.Tensor

    def to(self, device: torch.device) -> TokenBatch:
        """Move to a device."""
        return TokenBatch(self.ids.to(device), self.lengths.to(device), self.oov_vectors.to(device))


class WordVectors(nn.Module):
    """Embedding layer of word vectors.

    Args:
        table: `(words, width)`, float32: initial vectors.
        trainable: Whether the vectors are trained.
        word_dropout: Probability that a word is replaced by the unknown word during training.
        unknown_id: The index of the unknown word.
    """

    def __init__(self, table: torch.Tensor, trainable: bool, word_dropout: float, unknown_id: int) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=trainable)
        self.word_dropout = word_dropout
        self.unknown_id = unknown_id
        self.output = FeatureShape(table.shape[1], sequence=True)

    def forward(self, batch: TokenBatch) -> Features:
        """Return features `(batch, length, width)` and their mask `(batch, length)`."""
        ids = batch.ids
        mask = torch.arange(ids.shape[1], device=ids.device) < batch.lengths.unsqueeze(1)
        if self.training and self.word_dropout:
            dropout_mask = torch.rand(ids.shape, device=ids.device) < self.word_dropout
            ids = ids.masked_fill(dropout_mask & mask, self.unknown_id)
        size = len(self.table)
        values = F.embedding(ids.clamp(max=size - 1), self.table, padding_idx=0)
        if len(batch.oov_vectors):
            oov_mask = ids >= size
            values = values.masked_scatter(
                oov_mask.unsqueeze(-1), batch.oov_vectors[ids[oov_mask] - size].to(values.dtype)
            )
        return Features(values, mask)
