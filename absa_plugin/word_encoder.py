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

from absa_plugin.parsed_text import ParsedText, normalize_input, tokenise
from absa_plugin.spacy_pipelines import load_pipeline
from absa_plugin.spelling import SpellingIndex
from absa_plugin.stop_words import STOP_WORDS
from absa_plugin.word_vectors import TokenBatch, WordVectors
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError

PADDING, UNKNOWN = 0, 1
SPECIAL_TOKENS = ["<padding>", "<unknown>"]
MAX_NEW_WORDS = 30_000
"""Number of new words after which the tokenizer is reloaded, so that a long stream needs bounded memory."""
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
        tune: Whether the vectors are trained.
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
        self._pipeline = pipeline
        self._trainable = trainable
        self._drop = drop
        self._word_dropout = word_dropout
        self._max_tokens = max_tokens
        self._words: list[str] = []
        self._word_ids: dict[int, int] = {}
        self._cached_nlp: Language | None = None
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._pretrained = self._nlp.vocab.vectors_length > 0
        if not self._pretrained and not trainable:
            raise MtlError(
                f"encoder.trainable: '{pipeline}' has no word vectors, so they must be trained (tune: true)"
            )
        self._width = self._nlp.vocab.vectors_length or dimensions

    @property
    def _nlp(self) -> Language:
        """The pipeline, loaded on first use."""
        if self._cached_nlp is None:
            self._cached_nlp = load_pipeline(self._pipeline)
            self._initial_vocab_size = len(self._cached_nlp.vocab)
            self._stop_word_hashes = {self._cached_nlp.vocab.strings.add(word) for word in STOP_WORDS}
            self._word_ids = self._build_index(self._words)
        return self._cached_nlp

    def unload(self) -> None:
        """Unload the pipeline (130 MB for `en_core_web_md`). Cached vectors are kept."""
        self._cached_nlp = None

    def parse(self, inputs: Sequence[Any]) -> list[ParsedText]:
        """Tokenise texts; each word of a list of words is one token.

        Raises:
            MtlError: If an input is neither a text nor a list of words.
        """
        texts = [normalize_input(value) for value in inputs]
        if self._words and len(self._nlp.vocab) > self._initial_vocab_size + MAX_NEW_WORDS:
            self.unload()
        nlp = self._nlp
        return [ParsedText(text, self._filter_tokens(tokenise(nlp, text))[1]) for text in texts]

    def _filter_tokens(self, doc: Any) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Return which tokens are kept (before truncation), and the hashes of the kept words."""
        table = doc.to_array([LOWER, IS_SPACE, IS_PUNCT, LIKE_NUM]).astype(np.uint64)
        keep_mask = table[:, 1] == 0
        if "punctuation" in self._drop:
            keep_mask &= table[:, 2] == 0
        if "numbers" in self._drop:
            keep_mask &= table[:, 3] == 0
        if "stop-words" in self._drop:
            keep_mask &= np.array([word not in self._stop_word_hashes for word in table[:, 0].tolist()], dtype=bool)
        return keep_mask, table[keep_mask, 0][: self._max_tokens]

    def is_empty(self, parsed: ParsedText) -> bool:
        """Return whether no token is left."""
        return len(parsed.words) == 0

    def fit(self, parsed: Iterable[ParsedText]) -> None:
        """Build the vocabulary from the training words, ordered by frequency."""
        counts = Counter(word for text in parsed for word in text.words.tolist())
        strings = self._nlp.vocab.strings
        names = sorted(((-count, strings[word]) for word, count in counts.items()))
        self._words = [*SPECIAL_TOKENS, *(name for _, name in names)]
        self._word_ids = self._build_index(self._words)
        self.__dict__.pop("_spelling", None)

    def _build_index(self, words: Sequence[str]) -> dict[int, int]:
        nlp = self._cached_nlp or self._nlp  # `_nlp` calls this method while it loads the pipeline
        add = nlp.vocab.strings.add
        return {add(word): row for row, word in enumerate(words) if row >= len(SPECIAL_TOKENS)}

    @cached_property
    def _spelling(self) -> SpellingIndex:
        return SpellingIndex([word for word in self._words[len(SPECIAL_TOKENS) :] if self._has_vector(word)])

    def _has_vector(self, word: str) -> bool:
        return not self._pretrained or bool(self._nlp.vocab.has_vector(word))

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
                strings = self._get_string_store(text)
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
                strings = self._get_string_store(text)
                oov_words |= {
                    strings[int(word)]: None for word, row in zip(text.words, ids, strict=True) if row == -1
                }
        if oov_words:
            self._spelling.look_up(word for word in oov_words if not self._has_pretrained_vector(word))

    def _has_pretrained_vector(self, word: str) -> bool:
        return self._pretrained and bool(self._nlp.vocab.has_vector(word))

    def _get_string_store(self, text: ParsedText) -> Any:
        """Return the pipeline's string store; the pipeline may have been reloaded since the text was parsed."""
        strings = self._nlp.vocab.strings
        if any(int(word) not in strings for word in text.words):
            tokenise(self._nlp, text.text)
        return strings

    def _look_up_oov(self, word: str, oov_indices: dict[str, int]) -> int:
        if self._has_pretrained_vector(word):
            self._get_vector(word)
            return len(self._words) + oov_indices.setdefault(word, len(oov_indices))
        nearest_word = self._spelling.find_nearest(word)
        return self._word_ids[self._nlp.vocab.strings[nearest_word]] if nearest_word else UNKNOWN

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
        oov_vectors = (
            np.stack([self._get_vector(word) for word in oov_indices])
            if oov_indices
            else np.zeros((0, self._width))
        )
        lengths = torch.tensor([len(item.ids) for item in items])
        return TokenBatch(torch.from_numpy(ids), lengths, torch.from_numpy(oov_vectors.astype(np.float32)))

    def _get_vector(self, word: str) -> NDArray[np.float32]:
        if word not in self._vectors:  # a copy: a view would keep the whole table alive after `release`
            self._vectors[word] = np.array(self._nlp.vocab.get_vector(word), dtype=np.float32)
        return self._vectors[word]

    def input_layer(self) -> nn.Module:
        """Build the embedding layer from the pipeline's vectors, or from random vectors."""
        table = torch.randn(len(self._words), self._width) * 0.1
        word_rows = range(len(SPECIAL_TOKENS), len(self._words)) if self._pretrained else ()
        rows_with_vector = [row for row in word_rows if self._has_vector(self._words[row])]
        if rows_with_vector:
            vectors = np.stack([self._nlp.vocab.get_vector(self._words[row]) for row in rows_with_vector])
            table[rows_with_vector] = torch.from_numpy(vectors)
            mean = table[rows_with_vector].mean(dim=0)
            table[UNKNOWN] = mean
            for row in set(word_rows) - set(rows_with_vector):
                nearest_word = self._spelling.find_nearest(self._words[row])
                table[row] = table[self._word_ids[self._nlp.vocab.strings[nearest_word]]] if nearest_word else mean
        table[PADDING] = 0
        return WordVectors(table, self._trainable, self._word_dropout, UNKNOWN)

    def words(self, parsed: ParsedText) -> list[str]:
        """Return the words of the input; for a text, its tokens without white space."""
        return self._split_words(parsed)[0]

    def token_to_word(self, parsed: ParsedText) -> list[int]:
        """Return the indices of the words that were not dropped; empty if no word is left."""
        word_indices: list[int] = np.flatnonzero(self._split_words(parsed)[1])[: self._max_tokens].tolist()
        return word_indices

    def tokens(self, parsed: ParsedText) -> list[str]:
        """Return the words as written; one unknown word if no word is left, as in `encode`."""
        words, keep_mask = self._split_words(parsed)
        remaining_words = [word for word, keep in zip(words, keep_mask, strict=True) if keep]
        return remaining_words[: self._max_tokens] or [SPECIAL_TOKENS[UNKNOWN]]

    def _split_words(self, parsed: ParsedText) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the words as written, and which of them are kept (before truncation)."""
        doc = tokenise(self._nlp, parsed.text)
        keep_mask, _ = self._filter_tokens(doc)
        if not isinstance(parsed.text, str):
            return list(parsed.text), keep_mask
        visible_mask = np.array([not token.is_space for token in doc], dtype=bool)
        return [token.text for token in doc if not token.is_space], keep_mask[visible_mask]

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
                f"the run's word vectors have the width {state['width']}, those of '{self._pipeline}' {self._width}"
            )
        self._words = list(state["words"])
        self._word_ids = self._build_index(self._words)
        self.__dict__.pop("_spelling", None)
