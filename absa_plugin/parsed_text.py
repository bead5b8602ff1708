"""What the spaCy encoder reads: texts, and texts that are words already."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc

from mtl_core.errors import MtlError

MAX_CHARACTERS = 100_000
"""Where a text is cut before it is tokenised; spaCy refuses a million."""
LONG_CHUNK = re.compile(r"\S{200}(?=\S)")
"""What no space interrupts for so long gets one: spaCy needs minutes for 100,000 exclamation marks in a row."""


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A tokenised text.

    Attributes:
        text: The text; or its words, where they were given.
        words: `(tokens,)`, uint64: spaCy's hashes of the lower-cased words that were kept.
    """

    text: str | tuple[str, ...]
    words: NDArray[np.uint64]


def readable(value: object) -> str | tuple[str, ...]:
    """Take an input as a text that spaCy can tokenise, or as words.

    Raises:
        MtlError: If it is neither.
    """
    if isinstance(value, str):
        return LONG_CHUNK.sub(r"\g<0> ", value[:MAX_CHARACTERS])
    if not isinstance(value, list | tuple):
        raise MtlError(f"the encoder 'spacy' reads texts or lists of words, found {type(value).__name__}")
    for word in value:
        if not isinstance(word, str):
            raise MtlError(f"the encoder 'spacy' reads lists of words, found {type(word).__name__} in a list")
    return tuple(value)


def tokenise(nlp: Language, text: str | tuple[str, ...]) -> Doc:
    """Divide a text into tokens; given words are tokens as they are."""
    if isinstance(text, str):
        return nlp.tokenizer(text)
    return Doc(nlp.vocab, words=[word or " " for word in text])  # spaCy refuses an empty word; a space is dropped
