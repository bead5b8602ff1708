"""Dividing texts into words, by spaCy's rules for a language."""

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

MAX_CHARACTERS = 100_000
"""Where a text is cut before it is divided."""
FORGET_AFTER = 30_000
"""Distinct words after which the tokenizer is made afresh: it remembers all it has met."""
_UNBROKEN = re.compile(r"\S{200}(?=\S)")
"""What no space interrupts for so long gets one: spaCy's rules need a time that grows with its square."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, which UTF-8 cannot say."""


@dataclass(frozen=True, slots=True, eq=False)
class WordText:
    """A text as words.

    Attributes:
        text: The text; or its words, where they were given.
        words: The words that the network reads, as they stand in a vocabulary.
    """

    text: str | tuple[str, ...]
    words: tuple[str, ...]


class WordTokens:
    """Reads texts, and lists of words.

    Args:
        language: A language of spaCy's.
        lower_case: Whether words are lower-cased.
        drop: Kinds of tokens to leave out.
        max_tokens: Where texts are cut.

    Raises:
        MtlError: If spaCy does not know the language.
    """

    def __init__(self, language: str, lower_case: bool, drop: frozenset[str], max_tokens: int) -> None:
        self._language = language
        self._name = LOWER if lower_case else ORTH
        self._drop = drop
        self._max_tokens = max_tokens
        self._start()

    def _start(self) -> None:
        try:
            self._nlp: Language = spacy.blank(self._language)
        except ImportError as error:
            raise MtlError(f"encoder.language: spaCy has no language '{self._language}'") from error
        self._first_size = len(self._nlp.vocab)
        self._names: dict[int, str] = {}

    def read(self, value: object) -> WordText:
        """Divide a text, or take its words.

        Raises:
            MtlError: If it is neither.
        """
        text = _readable(value)
        if len(self._nlp.vocab) > self._first_size + FORGET_AFTER:
            self._start()
        hashes, kept = self._table(self._doc(text))
        names = self._names
        words = []
        for word in hashes[kept][: self._max_tokens].tolist():
            name = names.get(word)
            if name is None:
                name = names[word] = self._nlp.vocab.strings[word]
            words.append(name)
        return WordText(text, tuple(words))

    def written(self, parsed: WordText) -> tuple[list[str], list[int]]:
        """Give all words as they were written, and which of them are read."""
        doc = self._doc(parsed.text)
        _, kept = self._table(doc)
        if isinstance(parsed.text, str):
            visible = np.array([not token.is_space for token in doc], dtype=bool)
            words, kept = [token.text for token in doc if not token.is_space], kept[visible]
        else:
            words = list(parsed.text)
        places: list[int] = np.flatnonzero(kept)[: self._max_tokens].tolist()
        return words, places

    def _doc(self, text: str | tuple[str, ...]) -> Doc:
        if isinstance(text, str):
            return self._nlp.tokenizer(text)
        return Doc(self._nlp.vocab, words=[word or " " for word in text])  # spaCy refuses an empty word

    def _table(self, doc: Doc) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """The words' hashes, and which words are not left out."""
        table: Any = doc.to_array([self._name, IS_SPACE, IS_PUNCT, LIKE_NUM, IS_STOP]).astype(np.uint64)
        kept = table[:, 1] == 0
        for column, kind in enumerate(("punctuation", "numbers", "stop-words"), start=2):
            if kind in self._drop:
                kept &= table[:, column] == 0
        return table[:, 0], kept


def _readable(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return _UNBROKEN.sub(r"\g<0> ", _SURROGATE.sub("\ufffd", value[:MAX_CHARACTERS]))
    if not isinstance(value, list | tuple):
        raise MtlError(f"the encoder 'distilled' reads texts or lists of words, found {type(value).__name__}")
    for word in value:
        if not isinstance(word, str):
            raise MtlError(f"the encoder 'distilled' reads lists of words, found {type(word).__name__} in a list")
    return tuple(_SURROGATE.sub("\ufffd", word) for word in value)
