"""Alignment of the words and the subwords of a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end, in characters."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_MARKS = "".join(chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M"))
"""Combining marks, such as accents and vowel signs; they belong to the preceding character."""
_LETTERS = rf"(?:(?![{_IDEOGRAPHS}])\w[{_MARKS}]*+)++"
_WORD = re.compile(rf"[{_IDEOGRAPHS}][{_MARKS}]*+|{_LETTERS}(?:['\u2019]{_LETTERS})*+|[^\w\s]++")


@dataclass(frozen=True)
class Reading:
    """The words of an input, aligned with the tokens and subwords that the network reads.

    Attributes:
        words: All words, as written.
        places: The index of the word of each token, increasing.
        pieces: The index of the token of each subword, non-decreasing.
    """

    words: list[str]
    places: list[int]
    pieces: list[int]


def joined(words: Sequence[str]) -> tuple[str, list[Span]]:
    """Join words with spaces; return the text and the span of each word."""
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return " ".join(words), spans


def read_words(value: str | tuple[str, ...], pieces: Sequence[Span]) -> Reading:
    """Find the words of an input, and align them with its subwords.

    Words of a text are sequences of letters with inner apostrophes ("don't"), sequences of other characters, and
    single ideographs. Words that share a subword are merged.

    Args:
        value: A text, or its words.
        pieces: The spans of the subwords in the text, or in the words joined with spaces.
    """
    if isinstance(value, str):
        text, bare = value, [_trimmed(value, piece) for piece in pieces]
        spans = _united([match.span() for match in _WORD.finditer(value)], bare)
    else:
        text, spans = joined(value)
        bare = [_trimmed(text, piece) for piece in pieces]
    owners = _owners(bare, spans)
    places = sorted(set(owners))
    order = {place: token for token, place in enumerate(places)}
    return Reading([text[start:end] for start, end in spans], places, [order[owner] for owner in owners])


def _trimmed(text: str, piece: Span) -> Span:
    """Return the span without leading white space."""
    start, end = piece
    while start < end and text[start].isspace():
        start += 1
    return start, end


def _united(words: Sequence[Span], pieces: Sequence[Span]) -> list[Span]:
    """Merge words that share a subword, with the white space between them."""
    united: list[Span] = []
    at = 0
    for start, end in words:
        while at < len(pieces) and pieces[at][1] <= start:
            at += 1
        crossed = at < len(pieces) and pieces[at][0] < start
        if crossed and united:
            united[-1] = (united[-1][0], end)
        else:
            united.append((start, end))
    return united


def _owners(pieces: Sequence[Span], words: Sequence[Span]) -> list[int]:
    """Return the index of the word in which each subword begins; between words, the next word (or the last)."""
    owners, at = [], 0
    for start, _ in pieces:
        while at < len(words) - 1 and words[at][1] <= start:
            at += 1
        owners.append(at)
    return owners
