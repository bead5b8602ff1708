"""The transformer that computes vectors of single words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_transformers.frozen_model import FrozenModel

BATCH_SIZE = 256
MAX_SUBWORDS_PER_WORD = 24
"""Maximum number of subwords of a word; longer words are truncated."""


class Teacher(FrozenModel):
    """A frozen transformer that reads each word separately, between the special tokens.

    Args:
        model: The path or name of the model.
        layers: The layers whose states are averaged.
        pooling: `subwords`, `first` or `all`.
    """

    def __init__(self, model: Path | str, layers: Sequence[int], pooling: str) -> None:
        super().__init__(model, layers)
        self._pooling = pooling

    @property
    def identity(self) -> dict[str, Any]:
        """The values on which the vectors depend, as a JSON-serialisable dict."""
        return {**super().identity, "pooling": self._pooling}

    def compute_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Compute the vectors of words, `(words, width)`, float32.

        Raises:
            MtlError: If the model cannot be loaded.
        """
        special = self.tokenizer.special
        # With a leading space, a word is tokenized as within a sentence.
        subwords = [
            self.tokenizer.encode_ids(f" {word}", MAX_SUBWORDS_PER_WORD).tolist() or [special.unknown] for word in words
        ]
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, ids in enumerate(subwords):
            by_length[len(ids)].append(index)
        vectors = np.zeros((len(words), self.width), dtype=np.float32)
        for _, indices in sorted(by_length.items()):
            for start in range(0, len(indices), BATCH_SIZE):
                batch_indices = indices[start : start + BATCH_SIZE]
                token_ids = [[*special.prefix, *subwords[index], *special.suffix] for index in batch_indices]
                vectors[batch_indices] = self._pool(self.compute_states(torch.tensor(token_ids))).numpy()
        return vectors

    def _pool(self, states: torch.Tensor) -> torch.Tensor:
        """Pool the states `(words, subwords and special tokens, width)` to `(words, width)`."""
        special = self.tokenizer.special
        if self._pooling == "subwords":
            states = states[:, len(special.prefix) : states.shape[1] - len(special.suffix)]
        elif self._pooling == "first":
            states = states[:, :1]
        return states.mean(dim=1)
