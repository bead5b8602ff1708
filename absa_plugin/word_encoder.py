"""The encoder from texts to token ids, and from token ids to word vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from absa_plugin.spacy_tokenizer import ParsedText, SpacyTokenizer
from absa_plugin.spelling import SpellingIndex
from absa_plugin.word_vectors_layer import TokenBatch, WordVectors
from mtl_core import MtlError
from mtl_core.data import Encoder

PADDING, UNKNOWN = 0, 1
SPECIAL_TOKENS = ["<padding>", "<unknown>"]
MAX_CACHED_VECTORS = 20_000
"""Maximum number of cached vectors of out-of-vocabulary words; a larger cache is cleared."""


@dataclass(frozen=True)
class TextItem:
    """A text as token ids.

    Attributes:
        ids: `(tokens,)`, int32: indices into the table of word vectors; beyond its end, indices into `oov_words`.
        oov_words: Out-of-vocabulary words for which the pipeline has a vector.
    """

    ids: NDArray[np.int32]
    oov_words: tuple[str, ...] = ()


class WordEncoder(Encoder[ParsedText, TextItem]):
    """Encoder that tokenises with spaCy, with a vocabulary of the training words.

    Args:
        pipeline: Name or folder of the spaCy pipeline.
        trainable: Whether the vectors are trained.
        dimensions: Width of the vectors if the pipeline has none.
        drop: Kinds of tokens to leave out.
        word_dropout: Probability that a word is replaced by the unknown word during training.
        max_tokens: Maximum number of tokens per text; longer texts are truncated.

    Raises:
        MtlError: If the pipeline cannot be loaded, or has no vectors and `trainable` is false.
    """

    def __init__(
        self,
        pipeline: str,
        trainable: bool,
        dimensions: int,
        drop: frozenset[str],
        word_dropout: float,
        max_tokens: int,
    ) -> None:
        self._tokenizer = SpacyTokenizer(pipeline, drop, max_tokens)
        self._trainable = trainable
        self._word_dropout = word_dropout
        self._words: list[str] = []
        self._word_ids: dict[int, int] = {}
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._pretrained = self._vocab.vectors_length > 0
        if not self._pretrained and not trainable:
            raise MtlError(
                f"encoder.trainable: '{pipeline}' has no word vectors, so they must be trained (trainable: true)"
            )
        self._width = self._vocab.vectors_length or dimensions

    @property
    def _vocab(self) -> Any:
        return self._tokenizer.nlp.vocab

    def unload(self) -> None:
        """Unload the pipeline. Cached vectors are kept."""
        self._tokenizer.unload()

    def parse(self, inputs: Sequence[Any]) -> list[ParsedText]:
        """Tokenise texts; each word of a list of words is one token.

        Raises:
            MtlError: If an input is neither a text nor a list of words.
        """
        return self._tokenizer.parse(inputs)

    def is_empty(self, parsed: ParsedText) -> bool:
        """Return whether no token is left."""
        return len(parsed.words) == 0

    def fit(self, parsed: Iterable[ParsedText]) -> None:
        """Build the vocabulary from the training words, ordered by frequency."""
        counts = Counter(word for text in parsed for word in text.words.tolist())
        strings = self._vocab.strings
        names = sorted(((-count, strings[word]) for word, count in counts.items()))
        self._set_words([*SPECIAL_TOKENS, *(name for _, name in names)])

    def _set_words(self, words: list[str]) -> None:
        self._words = words
        hashes = self._tokenizer.register_words(self.vocabulary)
        self._word_ids = {word: row for row, word in enumerate(hashes, start=len(SPECIAL_TOKENS))}
        self.__dict__.pop("_spelling", None)

    @cached_property
    def _spelling(self) -> SpellingIndex:
        return SpellingIndex([word for word in self.vocabulary if self._has_vector(word)])

    def _has_vector(self, word: str) -> bool:
        return not self._pretrained or self._has_pretrained_vector(word)

    def encode(self, parsed: Sequence[ParsedText]) -> list[TextItem]:
        """Convert words to ids; a text without words becomes one unknown word."""
        rows = self._word_ids
        items = []
        if len(self._vectors) > MAX_CACHED_VECTORS:
            self._vectors.clear()
        ids_per_text = [[rows.get(word, -1) for word in text.words.tolist()] or [UNKNOWN] for text in parsed]
        self._cache_spellings(parsed, ids_per_text)
        for text, ids in zip(parsed, ids_per_text, strict=True):
            oov_indices: dict[str, int] = {}
            if -1 in ids:
                strings = self._tokenizer.get_string_store(text)
                for index, row in enumerate(ids):
                    if row == -1:
                        ids[index] = self._look_up_oov(strings[int(text.words[index])], oov_indices)
            items.append(TextItem(np.array(ids, dtype=np.int32), tuple(oov_indices)))
        return items

    def _cache_spellings(self, parsed: Sequence[ParsedText], ids_per_text: Sequence[Sequence[int]]) -> None:
        """Look up all out-of-vocabulary words in one call, which is much faster than one call per word."""
        oov_words: dict[str, None] = {}
        for text, ids in zip(parsed, ids_per_text, strict=True):
            if -1 in ids:
                strings = self._tokenizer.get_string_store(text)
                oov_words |= {strings[int(word)]: None for word, row in zip(text.words, ids, strict=True) if row == -1}
        if oov_words:
            self._spelling.look_up(word for word in oov_words if not self._has_pretrained_vector(word))

    def _has_pretrained_vector(self, word: str) -> bool:
        return self._pretrained and bool(self._vocab.has_vector(word))

    def _look_up_oov(self, word: str, oov_indices: dict[str, int]) -> int:
        if self._has_pretrained_vector(word):
            self._get_vector(word)
            return len(self._words) + oov_indices.setdefault(word, len(oov_indices))
        nearest_word = self._spelling.find_nearest(word)
        return self._word_ids[self._vocab.strings[nearest_word]] if nearest_word else UNKNOWN

    def length(self, item: TextItem) -> int:
        """Return the number of tokens."""
        return len(item.ids)

    def collate(self, items: Sequence[TextItem]) -> TokenBatch:
        """Pad to the longest text, and look up the vectors of out-of-vocabulary words."""
        longest = max(len(item.ids) for item in items)
        ids = np.full((len(items), longest), PADDING, dtype=np.int64)
        oov_indices: dict[str, int] = {}
        n_words = len(self._words)
        for row, item in enumerate(items):
            ids[row, : len(item.ids)] = item.ids
            for index, word in enumerate(item.oov_words):
                # Indices into the item's list become indices into the batch's list.
                indices = np.flatnonzero(item.ids == n_words + index)
                ids[row, indices] = n_words + oov_indices.setdefault(word, len(oov_indices))
        oov_vectors = np.array([self._get_vector(word) for word in oov_indices], dtype=np.float32)
        lengths = torch.tensor([len(item.ids) for item in items])
        return TokenBatch(
            torch.from_numpy(ids), lengths, torch.from_numpy(oov_vectors.reshape(len(oov_indices), self._width))
        )

    def _get_vector(self, word: str) -> NDArray[np.float32]:
        if word not in self._vectors:  # a copy: a view would keep the whole table alive after `unload`
            self._vectors[word] = np.array(self._vocab.get_vector(word), dtype=np.float32)
        return self._vectors[word]

    def input_layer(self) -> nn.Module:
        """Build the embedding layer from the pipeline's vectors, or from random vectors."""
        table = torch.randn(len(self._words), self._width) * 0.1
        word_rows = range(len(SPECIAL_TOKENS), len(self._words)) if self._pretrained else ()
        rows_with_vector = [row for row in word_rows if self._has_vector(self._words[row])]
        if rows_with_vector:
            vectors = np.stack([self._vocab.get_vector(self._words[row]) for row in rows_with_vector])
            table[rows_with_vector] = torch.from_numpy(vectors)
            mean = table[rows_with_vector].mean(dim=0)
            table[UNKNOWN] = mean
            for row in set(word_rows) - set(rows_with_vector):
                nearest_word = self._spelling.find_nearest(self._words[row])
                table[row] = table[self._word_ids[self._vocab.strings[nearest_word]]] if nearest_word else mean
        table[PADDING] = 0
        return WordVectors(table, self._trainable, self._word_dropout, UNKNOWN)

    def words(self, parsed: ParsedText) -> list[str]:
        """Return the words of the input; for a text, its tokens without white space."""
        return self._tokenizer.split_words(parsed)[0]

    def token_to_word(self, parsed: ParsedText) -> list[int]:
        """Return the indices of the words that were not dropped; empty if no word is left."""
        _, keep_mask = self._tokenizer.split_words(parsed)
        word_indices: list[int] = np.flatnonzero(keep_mask)[: self._tokenizer.max_tokens].tolist()
        return word_indices

    def tokens(self, parsed: ParsedText) -> list[str]:
        """Return the words as written; one unknown word if no word is left, as in `encode`."""
        words, keep_mask = self._tokenizer.split_words(parsed)
        remaining_words = [word for word, keep in zip(words, keep_mask, strict=True) if keep]
        return remaining_words[: self._tokenizer.max_tokens] or [SPECIAL_TOKENS[UNKNOWN]]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words, most frequent first."""
        return self._words[len(SPECIAL_TOKENS) :]

    def token_ids(self, inputs: TokenBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding, unknown and OOV words."""
        is_known = (inputs.ids >= len(SPECIAL_TOKENS)) & (inputs.ids < len(self._words))
        return torch.where(is_known, inputs.ids - len(SPECIAL_TOKENS), -1)

    def mask_tokens(self, inputs: TokenBatch, token_mask: torch.Tensor) -> TokenBatch:
        """Replace the hidden tokens by the unknown word."""
        ids = inputs.ids.masked_fill(token_mask & (inputs.ids != PADDING), UNKNOWN)
        return replace(inputs, ids=ids)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"words": self._words, "width": self._width}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the vocabulary.

        Raises:
            MtlError: If the pipeline's vectors have another width than the run's.
        """
        if state["width"] != self._width:
            raise MtlError(
                f"the run's word vectors have the width {state['width']}, "
                f"those of '{self._tokenizer.pipeline}' {self._width}"
            )
        self._set_words(list(state["words"]))
