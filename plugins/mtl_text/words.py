"""Dividing a text into words."""

import re
import unicodedata
from collections.abc import Iterator

_MARKS = "".join(chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M"))
"""Accents and vowel signs that are characters of their own; they belong to what stands before them."""
_APOSTROPHE = "\u2019"
_LETTERS = rf"(?:[^\W\d_]++[{_MARKS}]*+)++"
_WORD = re.compile(rf"{_LETTERS}(?:['{_APOSTROPHE}]{_LETTERS})*+|\d++(?:[.,]\d++)*+|\S[{_MARKS}]*+")


def words_of(text: str) -> Iterator[str]:
    """Give the words of a text as they were written; put together, they are the text without its white space."""
    return (match[0] for match in _WORD.finditer(text))


def read_as(word: str, lower_case: bool) -> str:
    """Give the name that a word has in a vocabulary: "Don't" is "don't", with either apostrophe."""
    word = word.replace(_APOSTROPHE, "'")
    return word.lower() if lower_case else word
