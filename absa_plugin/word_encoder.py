"""From texts to token ids, and from token ids to word vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.attrs import IS_PUNCT, IS_SPACE, LIKE_NUM, LOWER
from spacy.language import Language
from torch import nn

from absa_plugin.parsed_text import ParsedText, readable, tokenise
from absa_plugin.pipelines import load_pipeline
from absa_plugin.spelling import SpellingIndex
from absa_plugin.stop_words import STOP_WORDS
from absa_plugin.word_vectors import TokenBatch, WordVectors
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError

PADDING, UNKNOWN = 0, 1
SPECIAL = ["<padding>", "<unknown>"]
FORGET_AFTER = 30_000
"""Distinct words after which the tokenizer is loaded afresh, so that a long stream needs bounded memory."""
KEPT_VECTORS = 20_000
"""Vectors of unseen words that are kept at hand; more are forgotten and looked up again."""


@dataclass(frozen=True)
class TextItem:
    """A text as numbers.

    Attributes:
        ids: `(tokens,)`, int32: rows of the table of word vectors; from its end on, places in `unseen`.
        unseen: Words that are not in the table but have a vector of the pipeline's.
    """

    ids: NDArray[np.int32]
    unseen: tuple[str, ...] = ()


class WordEncoder(Encoder[ParsedText, TextItem]):
    """Tokenises with spaCy and keeps a vocabulary of the training words.

    Args:
        pipeline: Name or folder of the spaCy pipeline.
        tune: Whether training moves the vectors.
        dimensions: Width of the vectors where the pipeline has none.
        drop: Kinds of tokens to leave out.
        word_dropout: How often a word becomes unknown during training.
        max_tokens: Where texts are cut.

    Raises:
        MtlError: If the pipeline cannot be loaded, or has no vectors and `tune` is false.
    """

    def __init__(
        self,
        pipeline: str,
        tune: bool,
        dimensions: int,
        drop: frozenset[str],
        word_dropout: float,
        max_tokens: int,
    ) -> None:
        self._pipeline = pipeline
        self._tune = tune
        self._drop = drop
        self._word_dropout = word_dropout
        self._max_tokens = max_tokens
        self._words: list[str] = []
        self._rows: dict[int, int] = {}
        self._loaded: Language | None = None
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._pretrained = self._nlp.vocab.vectors_length > 0
        if not self._pretrained and not tune:
            raise MtlError(f"encoder.tune: '{pipeline}' has no word vectors, so they must be tuned (tune: true)")
        self._width = self._nlp.vocab.vectors_length or dimensions

    @property
    def _nlp(self) -> Language:
        """The pipeline, loaded when it is needed."""
        if self._loaded is None:
            self._loaded = load_pipeline(self._pipeline)
            self._first_size = len(self._loaded.vocab)
            self._stops = {self._loaded.vocab.strings.add(word) for word in STOP_WORDS}
            self._rows = self._index(self._words)
        return self._loaded

    def release(self) -> None:
        """Let the pipeline go: 130 MB for `en_core_web_md`. Vectors of words met so far are kept."""
        self._loaded = None

    def parse(self, inputs: Sequence[Any]) -> list[ParsedText]:
        """Tokenise texts; of a list of words, each is a token already.

        Raises:
            MtlError: If an input is neither.
        """
        texts = [readable(value) for value in inputs]
        if self._words and len(self._nlp.vocab) > self._first_size + FORGET_AFTER:
            self.release()
        nlp = self._nlp
        return [ParsedText(text, self._keep(tokenise(nlp, text))[1]) for text in texts]

    def _keep(self, doc: Any) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Say which tokens are kept (before the cut), and give the words of those that are."""
        table = doc.to_array([LOWER, IS_SPACE, IS_PUNCT, LIKE_NUM]).astype(np.uint64)
        kept = table[:, 1] == 0
        if "punctuation" in self._drop:
            kept &= table[:, 2] == 0
        if "numbers" in self._drop:
            kept &= table[:, 3] == 0
        if "stop-words" in self._drop:
            kept &= np.array([word not in self._stops for word in table[:, 0].tolist()], dtype=bool)
        return kept, table[kept, 0][: self._max_tokens]

    def is_empty(self, parsed: ParsedText) -> bool:
        """Whether no token is left."""
        return len(parsed.words) == 0

    def fit(self, parsed: Iterable[ParsedText]) -> None:
        """Take the training words as vocabulary, in the order of their frequency."""
        counts = Counter(word for text in parsed for word in text.words.tolist())
        strings = self._nlp.vocab.strings
        names = sorted(((-count, strings[word]) for word, count in counts.items()))
        self._words = [*SPECIAL, *(name for _, name in names)]
        self._rows = self._index(self._words)
        self.__dict__.pop("_spelling", None)

    def _index(self, words: Sequence[str]) -> dict[int, int]:
        nlp = self._loaded or self._nlp  # while the pipeline is being loaded, `_nlp` asks for this index
        add = nlp.vocab.strings.add
        return {add(word): row for row, word in enumerate(words) if row >= len(SPECIAL)}

    @cached_property
    def _spelling(self) -> SpellingIndex:
        return SpellingIndex([word for word in self._words[len(SPECIAL) :] if self._has_vector(word)])

    def _has_vector(self, word: str) -> bool:
        return not self._pretrained or bool(self._nlp.vocab.has_vector(word))

    def encode(self, parsed: Sequence[ParsedText]) -> list[TextItem]:
        """Look words up; a text without any word becomes one unknown word."""
        rows = self._rows
        items = []
        if len(self._vectors) > KEPT_VECTORS:
            self._vectors.clear()
        found = [[rows.get(word, -1) for word in text.words.tolist()] or [UNKNOWN] for text in parsed]
        self._spell(parsed, found)
        for text, ids in zip(parsed, found, strict=True):
            unseen: dict[str, int] = {}
            if -1 in ids:
                strings = self._strings(text)
                for place, row in enumerate(ids):
                    if row == -1:
                        ids[place] = self._row_of_unseen(strings[int(text.words[place])], unseen)
            items.append(TextItem(np.array(ids, dtype=np.int32), tuple(unseen)))
        return items

    def _spell(self, parsed: Sequence[ParsedText], found: Sequence[Sequence[int]]) -> None:
        """Look all words up at once that are not known, which is much faster than one after the other."""
        unseen: dict[str, None] = {}
        for text, ids in zip(parsed, found, strict=True):
            if -1 in ids:
                strings = self._strings(text)
                unseen |= {strings[int(word)]: None for word, row in zip(text.words, ids, strict=True) if row == -1}
        if unseen:
            self._spelling.look_up(word for word in unseen if not self._has_own_vector(word))

    def _has_own_vector(self, word: str) -> bool:
        return self._pretrained and bool(self._nlp.vocab.has_vector(word))

    def _strings(self, text: ParsedText) -> Any:
        """The pipeline's table from hashes to words; it may have been loaded afresh since the text was parsed."""
        strings = self._nlp.vocab.strings
        if any(int(word) not in strings for word in text.words):
            tokenise(self._nlp, text.text)
        return strings

    def _row_of_unseen(self, word: str, unseen: dict[str, int]) -> int:
        if self._has_own_vector(word):
            self._vector(word)
            return len(self._words) + unseen.setdefault(word, len(unseen))
        near = self._spelling.nearest(word)
        return self._rows[self._nlp.vocab.strings[near]] if near else UNKNOWN

    def length(self, item: TextItem) -> int:
        """Tokens."""
        return len(item.ids)

    def collate(self, items: Sequence[TextItem]) -> TokenBatch:
        """Pad to the longest, and look the vectors of unseen words up."""
        longest = max(len(item.ids) for item in items)
        ids = np.full((len(items), longest), PADDING, dtype=np.int64)
        words: dict[str, int] = {}
        known = len(self._words)
        for row, item in enumerate(items):
            ids[row, : len(item.ids)] = item.ids
            for place, word in enumerate(item.unseen):
                # Places in the item's own list become places in the batch's.
                at = np.flatnonzero(item.ids == known + place)
                ids[row, at] = known + words.setdefault(word, len(words))
        extra = np.stack([self._vector(word) for word in words]) if words else np.zeros((0, self._width))
        lengths = torch.tensor([len(item.ids) for item in items])
        return TokenBatch(torch.from_numpy(ids), lengths, torch.from_numpy(extra.astype(np.float32)))

    def _vector(self, word: str) -> NDArray[np.float32]:
        if word not in self._vectors:  # a copy: a view would keep the whole table alive after `release`
            self._vectors[word] = np.array(self._nlp.vocab.get_vector(word), dtype=np.float32)
        return self._vectors[word]

    def input_layer(self) -> nn.Module:
        """A table of word vectors: the pipeline's, or random ones."""
        table = torch.randn(len(self._words), self._width) * 0.1
        known = range(len(SPECIAL), len(self._words)) if self._pretrained else ()
        found = [row for row in known if self._has_vector(self._words[row])]
        if found:
            vectors = np.stack([self._nlp.vocab.get_vector(self._words[row]) for row in found])
            table[found] = torch.from_numpy(vectors)
            mean = table[found].mean(dim=0)
            table[UNKNOWN] = mean
            for row in set(known) - set(found):
                near = self._spelling.nearest(self._words[row])
                table[row] = table[self._rows[self._nlp.vocab.strings[near]]] if near else mean
        table[PADDING] = 0
        return WordVectors(table, self._tune, self._word_dropout, UNKNOWN)

    def words(self, parsed: ParsedText) -> list[str]:
        """The words that were given; of a text, its tokens but for white space."""
        return self._written(parsed)[0]

    def places(self, parsed: ParsedText) -> list[int]:
        """The words that were not dropped; none where none is left: the unknown word is none of them."""
        places: list[int] = np.flatnonzero(self._written(parsed)[1])[: self._max_tokens].tolist()
        return places

    def tokens(self, parsed: ParsedText) -> list[str]:
        """The words as they were written; one unknown word where none is left, as `encode` has it."""
        words, kept = self._written(parsed)
        left = [word for word, keep in zip(words, kept, strict=True) if keep]
        return left[: self._max_tokens] or [SPECIAL[UNKNOWN]]

    def _written(self, parsed: ParsedText) -> tuple[list[str], NDArray[np.bool_]]:
        """Words as they were written, and which of them are kept (before the cut)."""
        doc = tokenise(self._nlp, parsed.text)
        kept, _ = self._keep(doc)
        if not isinstance(parsed.text, str):
            return list(parsed.text), kept
        visible = np.array([not token.is_space for token in doc], dtype=bool)
        return [token.text for token in doc if not token.is_space], kept[visible]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words, frequent ones first."""
        return self._words[len(SPECIAL) :]

    def token_ids(self, inputs: TokenBatch) -> torch.Tensor:
        """Places in `vocabulary`; -1 for padding, unknown words and those that training never saw."""
        known = (inputs.ids >= len(SPECIAL)) & (inputs.ids < len(self._words))
        return torch.where(known, inputs.ids - len(SPECIAL), -1)

    def hide(self, inputs: TokenBatch, hidden: torch.Tensor) -> TokenBatch:
        """Read hidden tokens as unknown words."""
        ids = inputs.ids.masked_fill(hidden & (inputs.ids != PADDING), UNKNOWN)
        return replace(inputs, ids=ids)

    def state(self) -> dict[str, Any]:
        """The vocabulary."""
        return {"words": self._words, "width": self._width}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the vocabulary over.

        Raises:
            MtlError: If the pipeline's vectors have another width than the run's.
        """
        if state["width"] != self._width:
            raise MtlError(
                f"the run's word vectors have {state['width']} numbers, those of '{self._pipeline}' {self._width}"
            )
        self._words = list(state["words"])
        self._rows = self._index(self._words)
        self.__dict__.pop("_spelling", None)
