"""The ids of a model's special tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer


@dataclass(frozen=True)
class SpecialTokenIds:
    """Ids of a model's special tokens.

    Attributes:
        prefix: The special tokens at the beginning of a text, such as [CLS].
        suffix: The special tokens at the end of a text, such as [SEP].
        mask: The mask token; None if the model has none.
        unknown: The unknown token.
        all: All special tokens, including padding.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    mask: int | None
    unknown: int
    all: frozenset[int]

    @property
    def n_added(self) -> int:
        """Number of special tokens that are added to a text."""
        return len(self.prefix) + len(self.suffix)

    def add_special_tokens(self, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the special tokens to the subwords of each text.

        Args:
            ids: `(batch, length)`, int64, padded.
            lengths: `(batch,)`, int64: number of subwords of each text.

        Returns:
            Ids `(batch, length + marks)`, int64, and a mask of the same shape, bool, which is False for padding.
        """
        start, stop_indices = len(self.prefix), len(self.prefix) + lengths.unsqueeze(1)
        positions = torch.arange(ids.shape[1] + self.n_added)
        extended_ids = torch.zeros(len(ids), len(positions), dtype=torch.int64)
        extended_ids[:, :start] = torch.tensor(self.prefix, dtype=torch.int64)
        extended_ids[:, start : start + ids.shape[1]] = ids
        for offset, token_id in enumerate(self.suffix):
            extended_ids[positions == stop_indices + offset] = token_id
        return extended_ids, positions < stop_indices + len(self.suffix)


def find_special_ids(
    tokenizer: Tokenizer, mask_id: int | None, unknown_id: int | None, all_ids: frozenset[int]
) -> SpecialTokenIds:
    """Find the special tokens around a text by encoding an example text."""
    encoding = tokenizer.encode("a")
    text_indices = [index for index, is_special in enumerate(encoding.special_tokens_mask) if not is_special]
    first, last = (text_indices[0], text_indices[-1]) if text_indices else (len(encoding.ids), len(encoding.ids) - 1)
    fallback_id = unknown_id if unknown_id is not None else mask_id if mask_id is not None else 0
    return SpecialTokenIds(tuple(encoding.ids[:first]), tuple(encoding.ids[last + 1 :]), mask_id, fallback_id, all_ids)
