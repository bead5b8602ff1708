"""Word tokenization with the rules of a spaCy language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.attrs import IS_PUNCT, IS_SPACE, IS_STOP, LIKE_NUM, LOWER, ORTH
from spacy.language import Language
from spacy.tokens import Doc

from mtl_core import MtlError
from mtl_core.data import replace_surrogates, validate_text

MAX_CHARACTERS = 100_000
"""Maximum number of characters to tokenize; longer texts are truncated."""
MAX_NEW_WORDS = 30_000
"""Number of new words after which the spaCy language is reloaded, because its vocabulary only grows."""
_LONG_RUN = re.compile(r"\S{200}(?=\S)")
"""Longer sequences without white space are split: the run time of spaCy's rules is quadratic in their length."""


@dataclass(frozen=True, slots=True, eq=False)
class WordText:
    """A text as words.

    Attributes:
        text: The text; or its words, if the input is a list of words.
        words: The words that the network reads, normalized as in the vocabulary.
    """

    text: str | tuple[str, ...]
    words: tuple[str, ...]


class SpacyTokenizer:
    """A word tokenizer for texts and lists of words.

    Args:
        language: The code of a spaCy language.
        lower_case: Whether to convert words to lower case.
        drop: Kinds of words to remove.
        max_tokens: Maximum number of words; longer texts are truncated.

    Raises:
        MtlError: If spaCy does not have the language.
    """

    def __init__(self, language: str, lower_case: bool, drop: frozenset[str], max_tokens: int) -> None:
        self._language = language
        self._word_attribute = LOWER if lower_case else ORTH
        self._dropped_kinds = drop
        self._max_tokens = max_tokens
        self._load_language()

    def _load_language(self) -> None:
        try:
            self._nlp: Language = spacy.blank(self._language)
        except ImportError as error:
            raise MtlError(f"encoder.language: spaCy has no language '{self._language}'") from error
        self._initial_vocab_size = len(self._nlp.vocab)
        self._cached_strings: dict[int, str] = {}

    def tokenize(self, value: object) -> WordText:
        """Tokenize a text, or normalize a list of words.

        Raises:
            MtlError: If the input is neither.
        """
        text = _normalize_input(value)
        if len(self._nlp.vocab) > self._initial_vocab_size + MAX_NEW_WORDS:
            self._load_language()
        hashes, keep_mask = self._filter_tokens(self._build_doc(text))
        cached_strings = self._cached_strings
        words = []
        for word_hash in hashes[keep_mask][: self._max_tokens].tolist():
            string = cached_strings.get(word_hash)
            if string is None:
                string = cached_strings[word_hash] = self._nlp.vocab.strings[word_hash]
            words.append(string)
        return WordText(text, tuple(words))

    def split_words(self, parsed: WordText) -> tuple[list[str], list[int]]:
        """Return all words as written, and the indices of the words that the network reads."""
        doc = self._build_doc(parsed.text)
        _, keep_mask = self._filter_tokens(doc)
        if isinstance(parsed.text, str):
            visible_mask = np.array([not token.is_space for token in doc], dtype=bool)
            words, keep_mask = [token.text for token in doc if not token.is_space], keep_mask[visible_mask]
        else:
            words = list(parsed.text)
        word_indices: list[int] = np.flatnonzero(keep_mask)[: self._max_tokens].tolist()
        return words, word_indices

    def _build_doc(self, text: str | tuple[str, ...]) -> Doc:
        if isinstance(text, str):
            return self._nlp.tokenizer(text)
        return Doc(self._nlp.vocab, words=[word or " " for word in text])  # spaCy does not accept an empty word

    def _filter_tokens(self, doc: Doc) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the hash of each word, and a mask of the words to keep, both `(words,)`."""
        table: Any = doc.to_array([self._word_attribute, IS_SPACE, IS_PUNCT, LIKE_NUM, IS_STOP]).astype(np.uint64)
        keep_mask = table[:, 1] == 0
        for column, kind in enumerate(("punctuation", "numbers", "stop-words"), start=2):
            if kind in self._dropped_kinds:
                keep_mask &= table[:, column] == 0
        return table[:, 0], keep_mask


def _normalize_input(value: object) -> str | tuple[str, ...]:
    text = validate_text(value, "distilled")
    if isinstance(text, str):
        return _LONG_RUN.sub(r"\g<0> ", replace_surrogates(text[:MAX_CHARACTERS]))
    return tuple(replace_surrogates(word) for word in text)
