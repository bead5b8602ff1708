"""The word embedding encoder: from texts to rows of an embedding table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.data import Encoder, validate_text
from mtl_text.word_embedding_layer import N_SPECIAL_ROWS, PADDING, UNKNOWN, WordEmbedding
from mtl_text.word_tokenizer import normalize_word, split_words

Text = str | tuple[str, ...]
"""A text, or its words if the input is a list. Texts are split again on each use, since splitting is fast."""
Item = NDArray[np.int32]
"""Rows of the table, `(tokens,)`, int32."""
MAX_WORD_LENGTH = 64
"""Maximum number of characters of a word in the vocabulary."""


class EmbeddingEncoder(Encoder[Text, Item]):
    """An encoder whose vocabulary is the most frequent training words.

    Args:
        vocabulary_size: Maximum number of rows, including those for padding and the unknown word.
        min_count: Minimum number of occurrences of a word in the training data.
        dimensions: Size of the word vectors.
        lower_case: Whether to convert words to lower case.
        dropout: Dropout probability of the word vectors.
        word_dropout: Probability that a word becomes unknown during training.
        max_tokens: Maximum number of words; longer texts are truncated.
    """

    def __init__(
        self,
        vocabulary_size: int,
        min_count: int,
        dimensions: int,
        lower_case: bool,
        dropout: float,
        word_dropout: float,
        max_tokens: int,
    ) -> None:
        self._vocabulary_size = vocabulary_size
        self._min_count = min_count
        self._dimensions = dimensions
        self._lower_case = lower_case
        self._dropout = dropout
        self._word_dropout = word_dropout
        self._max_tokens = max_tokens
        self._words: list[str] = []
        self._rows: dict[str, int] = {}

    def parse(self, inputs: Sequence[Any]) -> list[Text]:
        """Check that inputs are texts or lists of words.

        Raises:
            MtlError: If an input is neither.
        """
        return [validate_text(value, "embedding") for value in inputs]

    def is_empty(self, parsed: Text) -> bool:
        """Return whether a text contains only white space."""
        return not (parsed if isinstance(parsed, str) else "".join(parsed)).strip()

    def fit(self, parsed: Iterable[Text]) -> None:
        """Count the words that the network reads, and keep the most frequent; sort ties alphabetically."""
        counts = Counter(
            name for text in parsed for name in self._normalize_words(text) if len(name) <= MAX_WORD_LENGTH
        )
        frequent = sorted((-count, name) for name, count in counts.items() if count >= self._min_count)
        self._set_vocabulary([name for _, name in frequent[: self._vocabulary_size - N_SPECIAL_ROWS]])

    def encode(self, parsed: Sequence[Text]) -> list[Item]:
        """Look up the rows of words; a text without words becomes one unknown word."""
        rows = self._rows
        return [
            np.array([rows.get(name, UNKNOWN) for name in self._normalize_words(text)] or [UNKNOWN], dtype=np.int32)
            for text in parsed
        ]

    def length(self, item: Item) -> int:
        """Return the number of tokens."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> torch.Tensor:
        """Pad to the longest item: `(batch, length)`, int64."""
        rows = np.full((len(items), max(len(item) for item in items)), PADDING, dtype=np.int64)
        for index, item in enumerate(items):
            rows[index, : len(item)] = item
        return torch.from_numpy(rows)

    def input_layer(self) -> nn.Module:
        """Return an embedding table with random vectors."""
        return WordEmbedding(len(self._words) + N_SPECIAL_ROWS, self._dimensions, self._dropout, self._word_dropout)

    def words(self, parsed: Text) -> list[str]:
        """Return the words of the input: a list as it is, a text split into words."""
        return list(split_words(parsed) if isinstance(parsed, str) else parsed)

    def token_to_word(self, parsed: Text) -> list[int]:
        """Return the indices of all words up to `max_tokens`; empty for an input without words."""
        return list(range(len(self.words(parsed))))[: self._max_tokens]

    def tokens(self, parsed: Text) -> list[str]:
        """Return the words as in the input; one unknown word if there are none, as in `encode`."""
        return super().tokens(parsed) or ["<unknown>"]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words that have a row, most frequent first."""
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`; -1 for padding and unknown words."""
        return (inputs - N_SPECIAL_ROWS).clamp(min=-1)

    def mask_tokens(self, inputs: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        """Replace masked tokens by the unknown word."""
        return inputs.masked_fill(token_mask & (inputs != PADDING), UNKNOWN)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the vocabulary."""
        self._set_vocabulary(state["words"])

    def _set_vocabulary(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._rows = {word: row for row, word in enumerate(self._words, start=N_SPECIAL_ROWS)}

    def _normalize_words(self, text: Text) -> Iterator[str]:
        """Yield the normalized words that the network reads."""
        words = split_words(text) if isinstance(text, str) else text
        return (normalize_word(word, self._lower_case) for word in islice(words, self._max_tokens))
