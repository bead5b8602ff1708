"""The encoder `distilled`: from texts to rows of a table of distilled word vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import MtlError
from mtl_core.data import Encoder
from mtl_transformers.distilled_layer import N_SPECIAL_ROWS, PADDING, UNKNOWN, DistilledEmbedding, WordBatch
from mtl_transformers.pca import PCA, Matrix
from mtl_transformers.spacy_tokenizer import SpacyTokenizer, WordText
from mtl_transformers.teacher import Teacher
from mtl_transformers.vector_cache import VectorCache

MAX_CACHED_VECTORS = 50_000
"""Maximum number of OOV vectors in memory; if it is exceeded, they are discarded and computed again."""
MIN_WORDS_TO_STORE = 64
"""Minimum number of OOV words to cache on disk; each entry is a file."""
MAX_WORD_LENGTH = 64
"""Maximum number of characters of a word in the vocabulary."""


@dataclass(frozen=True, slots=True, eq=False)
class WordItem:
    """An encoded text.

    Attributes:
        rows: `(words,)`, int32: rows of the table; larger indices refer to `oov_words`.
        oov_words: The out-of-vocabulary words of the text.
    """

    rows: NDArray[np.int32]
    oov_words: tuple[str, ...] = ()


class DistilledEncoder(Encoder[WordText, WordItem]):
    """An encoder whose vocabulary is the most frequent training words, with vectors of a transformer.

    Args:
        teacher: The transformer.
        pca: The PCA that reduces the dimensions of the vectors.
        tokenizer: The word tokenizer.
        cache: The cache of the transformer's vectors.
        vocabulary_size: Maximum number of rows, including those for padding and the unknown word.
        min_count: Minimum number of occurrences of a word in the training data.
        word_dropout: Probability that a word becomes unknown during training.
        trainable: Whether the word vectors are trained.
        compute_oov: Whether the transformer computes the vectors of out-of-vocabulary words.
    """

    def __init__(
        self,
        teacher: Teacher,
        pca: PCA,
        tokenizer: SpacyTokenizer,
        cache: VectorCache,
        vocabulary_size: int,
        min_count: int,
        word_dropout: float,
        trainable: bool,
        compute_oov: bool,
    ) -> None:
        self._teacher = teacher
        self._pca = pca
        self._tokenizer = tokenizer
        self._cache = cache
        self._vocabulary_size = vocabulary_size
        self._min_count = min_count
        self._word_dropout = word_dropout
        self._trainable = trainable
        self._compute_oov = compute_oov
        self._words: list[str] = []
        self._rows: dict[str, int] = {}
        self._width = 0
        self._identity: dict[str, Any] = {}
        self._is_restored = False
        self._cached_vectors: dict[str, Matrix] = {}

    def parse(self, inputs: Sequence[Any]) -> list[WordText]:
        """Tokenize texts to words; a list of words is used as it is.

        Raises:
            MtlError: If an input is neither.
        """
        return [self._tokenizer.tokenize(value) for value in inputs]

    def is_empty(self, parsed: WordText) -> bool:
        """Return whether a text has no words."""
        return not parsed.words

    def fit(self, parsed: Iterable[WordText]) -> None:
        """Build the vocabulary of the most frequent training words; sort ties alphabetically.

        Raises:
            MtlError: If there is no such model.
        """
        counts = Counter(word for text in parsed for word in text.words if len(word) <= MAX_WORD_LENGTH)
        frequent = sorted((-count, word) for word, count in counts.items() if count >= self._min_count)
        self._set_vocabulary([word for _, word in frequent[: self._vocabulary_size - N_SPECIAL_ROWS]])
        self._teacher.validate_layers()
        self._identity, self._width = self._teacher.identity, self._teacher.width
        self._pca.validate_width(self._width)
        self._is_restored = False
        self._cached_vectors.clear()

    def encode(self, parsed: Sequence[WordText]) -> list[WordItem]:
        """Look up the rows of words; a text without words becomes one unknown word."""
        known_rows, items = self._rows, []
        if self._compute_oov:
            self._ensure_cached(word for text in parsed for word in text.words if word not in known_rows)
        for text in parsed:
            oov_indices: dict[str, int] = {}
            row_list = [self._look_up_row(word, oov_indices) for word in text.words] or [UNKNOWN]
            items.append(WordItem(np.array(row_list, dtype=np.int32), tuple(oov_indices)))
        return items

    def _look_up_row(self, word: str, oov_indices: dict[str, int]) -> int:
        row = self._rows.get(word)
        if row is not None:
            return row
        return (
            len(self._rows) + N_SPECIAL_ROWS + oov_indices.setdefault(word, len(oov_indices))
            if self._compute_oov
            else UNKNOWN
        )

    def length(self, item: WordItem) -> int:
        """Return the number of words."""
        return len(item.rows)

    def collate(self, items: Sequence[WordItem]) -> WordBatch:
        """Pad to the longest item, and look up the vectors of out-of-vocabulary words."""
        lengths = [len(item.rows) for item in items]
        rows = np.full((len(items), max(lengths)), PADDING, dtype=np.int64)
        oov_indices: dict[str, int] = {}
        n_rows = len(self._rows) + N_SPECIAL_ROWS
        for index, item in enumerate(items):
            rows[index, : len(item.rows)] = item.rows
            if item.oov_words:  # indices into the item's list become indices into the batch's
                batch_indices = np.array([oov_indices.setdefault(word, len(oov_indices)) for word in item.oov_words])
                oov_positions = np.flatnonzero(item.rows >= n_rows)
                rows[index, oov_positions] = n_rows + batch_indices[item.rows[oov_positions] - n_rows]
        self._ensure_cached(oov_indices)
        oov_vectors = (
            np.stack([self._cached_vectors[word] for word in oov_indices])
            if oov_indices
            else np.zeros((0, self._width), np.float32)
        )
        return WordBatch(torch.from_numpy(rows), torch.tensor(lengths), torch.from_numpy(oov_vectors))

    def _ensure_cached(self, words: Iterable[str]) -> None:
        """Ensure that the vectors of the words are in memory."""
        missing_words = sorted({word for word in words if word not in self._cached_vectors})
        if not missing_words:
            return
        if len(self._cached_vectors) + len(missing_words) > MAX_CACHED_VECTORS:
            self._cached_vectors.clear()
        # The OOV words of a whole data set occur in the next run again; those of a batch possibly never.
        use_disk_cache = not self._is_restored and len(missing_words) >= MIN_WORDS_TO_STORE
        vectors = self._load_or_compute(missing_words) if use_disk_cache else self._compute_vectors(missing_words)
        self._cached_vectors.update(zip(missing_words, vectors, strict=True))

    def _load_or_compute(self, words: Sequence[str]) -> Matrix:
        vectors = self._cache.load(self._identity, words)
        if vectors is None:
            vectors = self._compute_vectors(words)
            self._cache.store(self._identity, words, vectors)
        return vectors

    def _compute_vectors(self, words: Sequence[str]) -> Matrix:
        if self._is_restored and self._teacher.identity != self._identity:
            raise MtlError(
                "encoder.model: this is not the model that the run was trained with; its vectors are not compatible"
            )
        return self._teacher.compute_vectors(words)

    def input_layer(self) -> nn.Module:
        """Build the table of centred and projected vectors. The unknown word is initialized with the mean."""
        table = np.zeros((len(self._words) + N_SPECIAL_ROWS, self._pca.dimensions), np.float32)
        vectors = np.zeros((0, self._width), np.float32)
        if not self._is_restored:
            vectors = self._load_or_compute(self._words)
        projection = self._pca.fit(vectors)
        table[N_SPECIAL_ROWS : N_SPECIAL_ROWS + len(vectors)] = projection.transform(vectors)
        mean, matrix = torch.from_numpy(projection.mean), torch.from_numpy(projection.matrix)
        return DistilledEmbedding(torch.from_numpy(table), mean, matrix, self._trainable, self._word_dropout)

    def unload(self) -> None:
        """Unload the transformer. Vectors of OOV words remain in memory."""
        self._teacher.unload()

    def words(self, parsed: WordText) -> list[str]:
        """Return the words of the input; for a text, its tokens without white space."""
        return self._tokenizer.split_words(parsed)[0]

    def token_to_word(self, parsed: WordText) -> list[int]:
        """Return the indices of the words that were not dropped; empty if no word is left."""
        return self._tokenizer.split_words(parsed)[1]

    def tokens(self, parsed: WordText) -> list[str]:
        """Return the words as written; one unknown word if no word is left, as in `encode`."""
        words, word_indices = self._tokenizer.split_words(parsed)
        return [words[index] for index in word_indices] or ["<unknown>"]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words that have a row, most frequent first."""
        return self._words

    def token_ids(self, inputs: WordBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding, unknown and OOV words."""
        is_known = (inputs.rows >= N_SPECIAL_ROWS) & (inputs.rows < len(self._words) + N_SPECIAL_ROWS)
        return torch.where(is_known, inputs.rows - N_SPECIAL_ROWS, -1)

    def mask_tokens(self, inputs: WordBatch, token_mask: torch.Tensor) -> WordBatch:
        """Replace masked tokens by the unknown word."""
        return inputs.mask_words(token_mask)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary and the identity of the transformer."""
        return {"words": self._words, "width": self._width, "teacher": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the vocabulary; the run's weights contain the vectors."""
        self._set_vocabulary(state["words"])
        self._width, self._identity = int(state["width"]), dict(state["teacher"])
        self._is_restored = True
        self._cached_vectors.clear()

    def _set_vocabulary(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._rows = {word: row for row, word in enumerate(self._words, start=N_SPECIAL_ROWS)}
