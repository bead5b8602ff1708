"""The tokenizer of a spaCy pipeline, for texts and lists of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_PUNCT, IS_SPACE, LIKE_NUM, LOWER
from spacy.language import Language
from spacy.strings import get_string_id
from spacy.tokens import Doc

from absa_plugin.spacy_pipelines import load_pipeline, load_tokenizer
from absa_plugin.stop_words import STOP_WORDS
from mtl_core.data import validate_text

MAX_NEW_WORDS = 30_000
"""Number of new words after which the pipeline is reloaded, so that a long stream needs bounded memory."""
MAX_CHARACTERS = 100_000
"""Maximum number of characters per text; longer texts are truncated. spaCy rejects a million."""
UNBROKEN_RUN = re.compile(r"\S{200}(?=\S)")
"""A run of characters that is split by a space: spaCy needs minutes for 100,000 exclamation marks in a row."""


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A tokenised text.

    Attributes:
        text: The text, or its words if the input is a list of words.
        words: `(tokens,)`, uint64: spaCy's hashes of the kept, lower-cased words.
    """

    text: str | tuple[str, ...]
    words: NDArray[np.uint64]


class SpacyTokenizer:
    """A spaCy pipeline that tokenises. It is loaded on first use, and can be unloaded.

    Args:
        pipeline: Name or folder of the spaCy pipeline.
        drop: Kinds of tokens to leave out.
        max_tokens: Maximum number of tokens per text; longer texts are truncated.
    """

    def __init__(self, pipeline: str, drop: frozenset[str], max_tokens: int) -> None:
        self.pipeline = pipeline
        self.max_tokens = max_tokens
        self._drop = drop
        self._nlp: Language | None = None
        self._nlp_without_vectors: Language | None = None
        self._words: Sequence[str] | None = None

    @property
    def nlp(self) -> Language:
        """The pipeline, loaded on first use."""
        if self._nlp is None:
            self._nlp, self._nlp_without_vectors = load_pipeline(self.pipeline), None
            self._initial_vocab_size = len(self._nlp.vocab)
            self._hash_words(self._words or ())
        return self._nlp

    @property
    def _splitting_nlp(self) -> Language:
        """The pipeline if it is loaded, else one without vectors: splitting a text needs none."""
        if self._nlp is not None:
            return self._nlp
        if self._nlp_without_vectors is None:
            self._nlp_without_vectors = load_tokenizer(self.pipeline)
        return self._nlp_without_vectors

    @cached_property
    def _stop_word_hashes(self) -> frozenset[int]:
        return frozenset(get_string_id(word) for word in STOP_WORDS)

    def unload(self) -> None:
        """Unload the pipeline (130 MB for `en_core_web_md`)."""
        self._nlp = self._nlp_without_vectors = None

    def register_words(self, words: Sequence[str]) -> list[int]:
        """Return the hashes of words; the pipeline resolves these hashes even after it is reloaded."""
        self._words = words
        return self._hash_words(words)

    def _hash_words(self, words: Iterable[str]) -> list[int]:
        add = self.nlp.vocab.strings.add
        return [add(word) for word in words]

    def parse(self, inputs: Sequence[Any]) -> list[ParsedText]:
        """Tokenise texts; each word of a list of words is one token.

        Raises:
            MtlError: If an input is neither a text nor a list of words.
        """
        texts = [_normalize_input(value) for value in inputs]
        if self._words is not None and len(self.nlp.vocab) > self._initial_vocab_size + MAX_NEW_WORDS:
            self.unload()
        nlp = self.nlp
        return [ParsedText(text, self._filter_tokens(_tokenise(nlp, text))[1]) for text in texts]

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
        return keep_mask, table[keep_mask, 0][: self.max_tokens]

    def get_string_store(self, text: ParsedText) -> Any:
        """Return the pipeline's string store; the pipeline may have been reloaded since the text was parsed."""
        strings = self.nlp.vocab.strings
        if any(int(word) not in strings for word in text.words):
            _tokenise(self.nlp, text.text)
        return strings

    def split_words(self, parsed: ParsedText) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the words as written, and which of them are kept (before truncation)."""
        doc = _tokenise(self._splitting_nlp, parsed.text)
        keep_mask, _ = self._filter_tokens(doc)
        if not isinstance(parsed.text, str):
            return list(parsed.text), keep_mask
        visible_mask = np.array([not token.is_space for token in doc], dtype=bool)
        return [token.text for token in doc if not token.is_space], keep_mask[visible_mask]


def _normalize_input(value: object) -> str | tuple[str, ...]:
    """Convert an input to a text that spaCy can tokenise, or to a tuple of words.

    Raises:
        MtlError: If it is neither a text nor a list of words.
    """
    text = validate_text(value, "spacy")
    return UNBROKEN_RUN.sub(r"\g<0> ", text[:MAX_CHARACTERS]) if isinstance(text, str) else text


def _tokenise(nlp: Language, text: str | tuple[str, ...]) -> Doc:
    """Tokenise a text; each word of a tuple of words is one token."""
    if isinstance(text, str):
        return nlp.tokenizer(text)
    return Doc(nlp.vocab, words=[word or " " for word in text])  # spaCy rejects an empty word; a space is dropped
