"""The inputs of the spaCy encoder: texts and lists of words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc

from mtl_core.errors import MtlError

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


def normalize_input(value: object) -> str | tuple[str, ...]:
    """Convert an input to a text that spaCy can tokenise, or to a tuple of words.

    Raises:
        MtlError: If it is neither a text nor a list of words.
    """
    if isinstance(value, str):
        return UNBROKEN_RUN.sub(r"\g<0> ", value[:MAX_CHARACTERS])
    if not isinstance(value, list | tuple):
        raise MtlError(f"the encoder 'spacy' reads texts or lists of words, found {type(value).__name__}")
    for word in value:
        if not isinstance(word, str):
            raise MtlError(f"the encoder 'spacy' reads lists of words, found {type(word).__name__} in a list")
    return tuple(value)


def tokenise(nlp: Language, text: str | tuple[str, ...]) -> Doc:
    """Tokenise a text; each word of a tuple of words is one token."""
    if isinstance(text, str):
        return nlp.tokenizer(text)
    return Doc(nlp.vocab, words=[word or " " for word in text])  # spaCy rejects an empty word; a space is dropped
