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
"""Number of new words after which the tokenizer is reloaded, so that a long stream needs bounded memory."""
KEPT_VECTORS = 20_000
"""Maximum number of cached vectors of out-of-vocabulary words; a larger cache is cleared."""


@dataclass(frozen=True)
class TextItem:
    """A text as token ids.

    Attributes:
        ids: `(tokens,)`, int32: indices into the table of word vectors; beyond its end, indices into `unseen`.
        unseen: Out-of-vocabulary words for which the pipeline has a vector.
    """

    ids: NDArray[np.int32]
    unseen: tuple[str, ...] = ()


class WordEncoder(Encoder[ParsedText, TextItem]):
    """Encoder that tokenises with spaCy, with a vocabulary of the training words.

    Args:
        pipeline: Name or folder of the spaCy pipeline.
        tune: Whether the vectors are trained.
        dimensions: Width of the vectors if the pipeline has none.
        drop: Kinds of tokens to leave out.
        word_dropout: Probability that a word is replaced by the unknown word during training.
        max_tokens: Maximum number of tokens per text; longer texts are truncated.

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
            raise MtlError(f"encoder.tune: '{pipeline}' has no word vectors, so they must be trained (tune: true)")
        self._width = self._nlp.vocab.vectors_length or dimensions

    @property
    def _nlp(self) -> Language:
        """The pipeline, loaded on first use."""
        if self._loaded is None:
            self._loaded = load_pipeline(self._pipeline)
            self._first_size = len(self._loaded.vocab)
            self._stops = {self._loaded.vocab.strings.add(word) for word in STOP_WORDS}
            self._rows = self._index(self._words)
        return self._loaded

    def release(self) -> None:
        """Unload the pipeline (130 MB for `en_core_web_md`). Cached vectors are kept."""
        self._loaded = None

    def parse(self, inputs: Sequence[Any]) -> list[ParsedText]:
        """Tokenise texts; each word of a list of words is one token.

        Raises:
            MtlError: If an input is neither a text nor a list of words.
        """
        texts = [readable(value) for value in inputs]
        if self._words and len(self._nlp.vocab) > self._first_size + FORGET_AFTER:
            self.release()
        nlp = self._nlp
        return [ParsedText(text, self._keep(tokenise(nlp, text))[1]) for text in texts]

    def _keep(self, doc: Any) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Return which tokens are kept (before truncation), and the hashes of the kept words."""
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
        """Return whether no token is left."""
        return len(parsed.words) == 0

    def fit(self, parsed: Iterable[ParsedText]) -> None:
        """Build the vocabulary from the training words, ordered by frequency."""
        counts = Counter(word for text in parsed for word in text.words.tolist())
        strings = self._nlp.vocab.strings
        names = sorted(((-count, strings[word]) for word, count in counts.items()))
        self._words = [*SPECIAL, *(name for _, name in names)]
        self._rows = self._index(self._words)
        self.__dict__.pop("_spelling", None)

    def _index(self, words: Sequence[str]) -> dict[int, int]:
        nlp = self._loaded or self._nlp  # `_nlp` calls this method while it loads the pipeline
        add = nlp.vocab.strings.add
        return {add(word): row for row, word in enumerate(words) if row >= len(SPECIAL)}

    @cached_property
    def _spelling(self) -> SpellingIndex:
        return SpellingIndex([word for word in self._words[len(SPECIAL) :] if self._has_vector(word)])

    def _has_vector(self, word: str) -> bool:
        return not self._pretrained or bool(self._nlp.vocab.has_vector(word))

    def encode(self, parsed: Sequence[ParsedText]) -> list[TextItem]:
        """Convert words to ids; a text without words becomes one unknown word."""
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
        """Look up all out-of-vocabulary words in one call, which is much faster than one call per word."""
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
        """Return the pipeline's string store; the pipeline may have been reloaded since the text was parsed."""
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
        """Return the number of tokens."""
        return len(item.ids)

    def collate(self, items: Sequence[TextItem]) -> TokenBatch:
        """Pad to the longest text, and look up the vectors of out-of-vocabulary words."""
        longest = max(len(item.ids) for item in items)
        ids = np.full((len(items), longest), PADDING, dtype=np.int64)
        words: dict[str, int] = {}
        known = len(self._words)
        for row, item in enumerate(items):
            ids[row, : len(item.ids)] = item.ids
            for place, word in enumerate(item.unseen):
                # Indices into the item's list become indices into the batch's list.
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
        """Build the embedding layer from the pipeline's vectors, or from random vectors."""
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
        """Return the words of the input; for a text, its tokens without white space."""
        return self._written(parsed)[0]

    def places(self, parsed: ParsedText) -> list[int]:
        """Return the indices of the words that were not dropped; empty if no word is left."""
        places: list[int] = np.flatnonzero(self._written(parsed)[1])[: self._max_tokens].tolist()
        return places

    def tokens(self, parsed: ParsedText) -> list[str]:
        """Return the words as written; one unknown word if no word is left, as in `encode`."""
        words, kept = self._written(parsed)
        left = [word for word, keep in zip(words, kept, strict=True) if keep]
        return left[: self._max_tokens] or [SPECIAL[UNKNOWN]]

    def _written(self, parsed: ParsedText) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the words as written, and which of them are kept (before truncation)."""
        doc = tokenise(self._nlp, parsed.text)
        kept, _ = self._keep(doc)
        if not isinstance(parsed.text, str):
            return list(parsed.text), kept
        visible = np.array([not token.is_space for token in doc], dtype=bool)
        return [token.text for token in doc if not token.is_space], kept[visible]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The training words, most frequent first."""
        return self._words[len(SPECIAL) :]

    def token_ids(self, inputs: TokenBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding, unknown and OOV words."""
        known = (inputs.ids >= len(SPECIAL)) & (inputs.ids < len(self._words))
        return torch.where(known, inputs.ids - len(SPECIAL), -1)

    def hide(self, inputs: TokenBatch, hidden: torch.Tensor) -> TokenBatch:
        """Replace the hidden tokens by the unknown word."""
        ids = inputs.ids.masked_fill(hidden & (inputs.ids != PADDING), UNKNOWN)
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
                f"the run's word vectors have the width {state['width']}, those of '{self._pipeline}' {self._width}"
            )
        self._words = list(state["words"])
        self._rows = self._index(self._words)
        self.__dict__.pop("_spelling", None)
