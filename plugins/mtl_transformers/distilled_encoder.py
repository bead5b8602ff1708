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
from mtl_core.data.encoder import Encoder
from mtl_transformers.disk_cache import DiskCache
from mtl_transformers.distilled_layer import PADDING, SPECIAL, UNKNOWN, DistilledVectors, WordBatch
from mtl_transformers.projection import Matrix, Projecting
from mtl_transformers.teacher import Teacher
from mtl_transformers.word_tokens import WordText, WordTokens

KEPT_VECTORS = 50_000
"""Maximum number of OOV vectors in memory; if it is exceeded, they are discarded and computed again."""
WORTH_KEEPING = 64
"""Minimum number of OOV words to cache on disk; each entry is a file."""
LONGEST_WORD = 64
"""Maximum number of characters of a word in the vocabulary."""


@dataclass(frozen=True, slots=True, eq=False)
class WordItem:
    """An encoded text.

    Attributes:
        rows: `(words,)`, int32: rows of the table; larger indices refer to `unseen`.
        unseen: The out-of-vocabulary words of the text.
    """

    rows: NDArray[np.int32]
    unseen: tuple[str, ...] = ()


class DistilledEncoder(Encoder[WordText, WordItem]):
    """An encoder whose vocabulary is the most frequent training words, with vectors of a transformer.

    Args:
        teacher: The transformer.
        projecting: The PCA that reduces the dimensions of the vectors.
        tokens: The word tokenizer.
        cache: The cache of the transformer's vectors.
        vocabulary_size: Maximum number of rows, including those for padding and the unknown word.
        min_count: Minimum number of occurrences of a word in the training data.
        word_dropout: Probability that a word becomes unknown during training.
        tune: Whether the word vectors are trained.
        compute: Whether the transformer computes the vectors of out-of-vocabulary words.
    """

    def __init__(
        self,
        teacher: Teacher,
        projecting: Projecting,
        tokens: WordTokens,
        cache: DiskCache,
        vocabulary_size: int,
        min_count: int,
        word_dropout: float,
        tune: bool,
        compute: bool,
    ) -> None:
        self._teacher = teacher
        self._projecting = projecting
        self._tokens = tokens
        self._cache = cache
        self._vocabulary_size = vocabulary_size
        self._min_count = min_count
        self._word_dropout = word_dropout
        self._tune = tune
        self._compute = compute
        self._words: list[str] = []
        self._rows: dict[str, int] = {}
        self._width = 0
        self._identity: dict[str, Any] = {}
        self._restored = False
        self._vectors: dict[str, Matrix] = {}

    def parse(self, inputs: Sequence[Any]) -> list[WordText]:
        """Tokenize texts to words; a list of words is used as it is.

        Raises:
            MtlError: If an input is neither.
        """
        return [self._tokens.read(value) for value in inputs]

    def is_empty(self, parsed: WordText) -> bool:
        """Return whether a text has no words."""
        return not parsed.words

    def fit(self, parsed: Iterable[WordText]) -> None:
        """Build the vocabulary of the most frequent training words; sort ties alphabetically.

        Raises:
            MtlError: If there is no such model.
        """
        counts = Counter(word for text in parsed for word in text.words if len(word) <= LONGEST_WORD)
        frequent = sorted((-count, word) for word, count in counts.items() if count >= self._min_count)
        self._keep([word for _, word in frequent[: self._vocabulary_size - SPECIAL]])
        self._teacher.check()
        self._identity, self._width = self._teacher.identity, self._teacher.width
        self._projecting.check(self._width)
        self._restored = False
        self._vectors.clear()

    def encode(self, parsed: Sequence[WordText]) -> list[WordItem]:
        """Look up the rows of words; a text without words becomes one unknown word."""
        rows, items = self._rows, []
        if self._compute:
            self._ask_for(word for text in parsed for word in text.words if word not in rows)
        for text in parsed:
            unseen: dict[str, int] = {}
            found = [self._row(word, unseen) for word in text.words] or [UNKNOWN]
            items.append(WordItem(np.array(found, dtype=np.int32), tuple(unseen)))
        return items

    def _row(self, word: str, unseen: dict[str, int]) -> int:
        row = self._rows.get(word)
        if row is not None:
            return row
        return len(self._rows) + SPECIAL + unseen.setdefault(word, len(unseen)) if self._compute else UNKNOWN

    def length(self, item: WordItem) -> int:
        """Return the number of words."""
        return len(item.rows)

    def collate(self, items: Sequence[WordItem]) -> WordBatch:
        """Pad to the longest item, and look up the vectors of out-of-vocabulary words."""
        lengths = [len(item.rows) for item in items]
        rows = np.full((len(items), max(lengths)), PADDING, dtype=np.int64)
        words: dict[str, int] = {}
        known = len(self._rows) + SPECIAL
        for place, item in enumerate(items):
            rows[place, : len(item.rows)] = item.rows
            if item.unseen:  # indices into the item's list become indices into the batch's
                own = np.array([words.setdefault(word, len(words)) for word in item.unseen])
                at = np.flatnonzero(item.rows >= known)
                rows[place, at] = known + own[item.rows[at] - known]
        self._ask_for(words)
        extra = (
            np.stack([self._vectors[word] for word in words]) if words else np.zeros((0, self._width), np.float32)
        )
        return WordBatch(torch.from_numpy(rows), torch.tensor(lengths), torch.from_numpy(extra))

    def _ask_for(self, words: Iterable[str]) -> None:
        """Ensure that the vectors of the words are in memory."""
        wanted = sorted({word for word in words if word not in self._vectors})
        if not wanted:
            return
        if len(self._vectors) + len(wanted) > KEPT_VECTORS:
            self._vectors.clear()
        # The OOV words of a whole data set occur in the next run again; those of a batch possibly never.
        again = not self._restored and len(wanted) >= WORTH_KEEPING
        vectors = self._looked_up(wanted) if again else self._asked(wanted)
        self._vectors.update(zip(wanted, vectors, strict=True))

    def _looked_up(self, words: Sequence[str]) -> Matrix:
        vectors = self._cache.find(self._identity, words)
        if vectors is None:
            vectors = self._asked(words)
            self._cache.keep(self._identity, words, vectors)
        return vectors

    def _asked(self, words: Sequence[str]) -> Matrix:
        if self._restored and self._teacher.identity != self._identity:
            raise MtlError(
                "encoder.model: this is not the model that the run was trained with; its vectors are not compatible"
            )
        return self._teacher.vectors(words)

    def input_layer(self) -> nn.Module:
        """Build the table of centred and projected vectors. The unknown word is initialized with the mean."""
        table = np.zeros((len(self._words) + SPECIAL, self._projecting.dimensions), np.float32)
        vectors = np.zeros((0, self._width), np.float32)
        if not self._restored:
            vectors = self._looked_up(self._words)
        projection = self._projecting.fit(vectors)
        table[SPECIAL : SPECIAL + len(vectors)] = projection.of(vectors)
        mean, matrix = torch.from_numpy(projection.mean), torch.from_numpy(projection.matrix)
        return DistilledVectors(torch.from_numpy(table), mean, matrix, self._tune, self._word_dropout)

    def release(self) -> None:
        """Unload the transformer. Vectors of OOV words remain in memory."""
        self._teacher.release()

    def words(self, parsed: WordText) -> list[str]:
        """Return the words of the input; for a text, its tokens without white space."""
        return self._tokens.written(parsed)[0]

    def places(self, parsed: WordText) -> list[int]:
        """Return the indices of the words that were not dropped; empty if no word is left."""
        return self._tokens.written(parsed)[1]

    def tokens(self, parsed: WordText) -> list[str]:
        """Return the words as written; one unknown word if no word is left, as in `encode`."""
        words, places = self._tokens.written(parsed)
        return [words[place] for place in places] or ["<unknown>"]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words that have a row, most frequent first."""
        return self._words

    def token_ids(self, inputs: WordBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding, unknown and OOV words."""
        known = (inputs.rows >= SPECIAL) & (inputs.rows < len(self._words) + SPECIAL)
        return torch.where(known, inputs.rows - SPECIAL, -1)

    def hide(self, inputs: WordBatch, hidden: torch.Tensor) -> WordBatch:
        """Replace masked tokens by the unknown word."""
        return inputs.hiding(hidden)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary and the identity of the transformer."""
        return {"words": self._words, "width": self._width, "teacher": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the vocabulary; the run's weights contain the vectors."""
        self._keep(state["words"])
        self._width, self._identity = int(state["width"]), dict(state["teacher"])
        self._restored = True
        self._vectors.clear()

    def _keep(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._rows = {word: row for row, word in enumerate(self._words, start=SPECIAL)}
