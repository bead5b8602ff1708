"""Word tokenization."""

import re
import unicodedata
from collections.abc import Iterator

_COMBINING_MARKS = "".join(
    chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M")
)
"""Combining characters, such as accents; they belong to the preceding character."""
_APOSTROPHE = "\u2019"
_ALPHABETIC = rf"(?:[^\W\d_]++[{_COMBINING_MARKS}]*+)++"
_WORD = re.compile(rf"{_ALPHABETIC}(?:['{_APOSTROPHE}]{_ALPHABETIC})*+|\d++(?:[.,]\d++)*+|\S[{_COMBINING_MARKS}]*+")


def split_words(text: str) -> Iterator[str]:
    """Yield the words of a text, unchanged; concatenated, they are the text without white space."""
    return (match[0] for match in _WORD.finditer(text))


def normalize_word(word: str, lower_case: bool) -> str:
    """Return the normalized form of a word: optionally lower case, with a straight apostrophe."""
    word = word.replace(_APOSTROPHE, "'")
    return word.lower() if lower_case else word
