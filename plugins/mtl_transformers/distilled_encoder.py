"""From texts to rows of a table that a transformer made."""

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
"""Vectors of unseen words that are kept at hand; more are forgotten and asked for again."""
WORTH_KEEPING = 64
"""Fewer unseen words than that are asked for again in the next run; they would be a file on disk."""
LONGEST_WORD = 64
"""A longer run of letters gets no row of its own; it is no word."""


@dataclass(frozen=True, slots=True, eq=False)
class WordItem:
    """A text as numbers.

    Attributes:
        rows: `(words,)`, int32: rows of the table; from its end on, places in `unseen`.
        unseen: Words that are not in the table.
    """

    rows: NDArray[np.int32]
    unseen: tuple[str, ...] = ()


class DistilledEncoder(Encoder[WordText, WordItem]):
    """Keeps a vocabulary of the training words, with vectors from a transformer.

    Args:
        teacher: The transformer.
        projecting: Makes vectors narrower.
        tokens: Divides texts.
        cache: Keeps what the transformer said.
        vocabulary_size: Rows of the table, those for padding and the unknown word among them.
        min_count: How often a word must stand in the training data.
        word_dropout: How often a word becomes unknown during training.
        tune: Whether training moves the vectors.
        compute: Whether the transformer is asked for words that training did not see.
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
        """Divide texts into words; of a list of words, each is one already.

        Raises:
            MtlError: If an input is neither.
        """
        return [self._tokens.read(value) for value in inputs]

    def is_empty(self, parsed: WordText) -> bool:
        """Whether no word is left."""
        return not parsed.words

    def fit(self, parsed: Iterable[WordText]) -> None:
        """Take the most frequent training words as vocabulary; ties go by the alphabet.

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
        """Look words up; a text without any becomes one unknown word."""
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
        """Words."""
        return len(item.rows)

    def collate(self, items: Sequence[WordItem]) -> WordBatch:
        """Pad to the longest, and look the vectors of unseen words up."""
        lengths = [len(item.rows) for item in items]
        rows = np.full((len(items), max(lengths)), PADDING, dtype=np.int64)
        words: dict[str, int] = {}
        known = len(self._rows) + SPECIAL
        for place, item in enumerate(items):
            rows[place, : len(item.rows)] = item.rows
            if item.unseen:  # places in the item's own list become places in the batch's
                own = np.array([words.setdefault(word, len(words)) for word in item.unseen])
                at = np.flatnonzero(item.rows >= known)
                rows[place, at] = known + own[item.rows[at] - known]
        self._ask_for(words)
        extra = (
            np.stack([self._vectors[word] for word in words]) if words else np.zeros((0, self._width), np.float32)
        )
        return WordBatch(torch.from_numpy(rows), torch.tensor(lengths), torch.from_numpy(extra))

    def _ask_for(self, words: Iterable[str]) -> None:
        """Have vectors of words at hand."""
        wanted = sorted({word for word in words if word not in self._vectors})
        if not wanted:
            return
        if len(self._vectors) + len(wanted) > KEPT_VECTORS:
            self._vectors.clear()
        # The unseen words of a whole data set come again in the next run; those of a batch may never.
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
                "encoder.model: this is not the model that the run was trained with; "
                "its vectors would mean something else"
            )
        return self._teacher.vectors(words)

    def input_layer(self) -> nn.Module:
        """The table: vectors of the training words, centred and projected. The unknown word begins as the mean."""
        table = np.zeros((len(self._words) + SPECIAL, self._projecting.dimensions), np.float32)
        vectors = np.zeros((0, self._width), np.float32)
        if not self._restored:
            vectors = self._looked_up(self._words)
        projection = self._projecting.fit(vectors)
        table[SPECIAL : SPECIAL + len(vectors)] = projection.of(vectors)
        mean, matrix = torch.from_numpy(projection.mean), torch.from_numpy(projection.matrix)
        return DistilledVectors(torch.from_numpy(table), mean, matrix, self._tune, self._word_dropout)

    def release(self) -> None:
        """Let the transformer go. Vectors of words met so far are kept."""
        self._teacher.release()

    def words(self, parsed: WordText) -> list[str]:
        """The words that were given; of a text, its tokens but for white space."""
        return self._tokens.written(parsed)[0]

    def places(self, parsed: WordText) -> list[int]:
        """The words that were not left out; none where none is left: the unknown word is none of them."""
        return self._tokens.written(parsed)[1]

    def tokens(self, parsed: WordText) -> list[str]:
        """The words as they were written; one unknown word where none is left, as `encode` has it."""
        words, places = self._tokens.written(parsed)
        return [words[place] for place in places] or ["<unknown>"]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words that have a row, frequent ones first."""
        return self._words

    def token_ids(self, inputs: WordBatch) -> torch.Tensor:
        """Places in `vocabulary`; -1 for padding, unknown words and those that training never saw."""
        known = (inputs.rows >= SPECIAL) & (inputs.rows < len(self._words) + SPECIAL)
        return torch.where(known, inputs.rows - SPECIAL, -1)

    def hide(self, inputs: WordBatch, hidden: torch.Tensor) -> WordBatch:
        """Read hidden tokens as unknown words."""
        return inputs.hiding(hidden)

    def state(self) -> dict[str, Any]:
        """The vocabulary, and which transformer made its vectors."""
        return {"words": self._words, "width": self._width, "teacher": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the vocabulary over; the vectors come with the run's weights."""
        self._keep(state["words"])
        self._width, self._identity = int(state["width"]), dict(state["teacher"])
        self._restored = True
        self._vectors.clear()

    def _keep(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._rows = {word: row for row, word in enumerate(self._words, start=SPECIAL)}
