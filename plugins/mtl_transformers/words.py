"""The words of a text, and which of them each piece belongs to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""Where something begins and ends, in characters."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_MARKS = "".join(chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M"))
"""Accents and vowel signs that are characters of their own; they belong to what stands before them."""
_LETTERS = rf"(?:(?![{_IDEOGRAPHS}])\w[{_MARKS}]*+)++"
_WORD = re.compile(rf"[{_IDEOGRAPHS}][{_MARKS}]*+|{_LETTERS}(?:['\u2019]{_LETTERS})*+|[^\w\s]++")


@dataclass(frozen=True)
class Reading:
    """An input as a person and as the network see it.

    Attributes:
        words: All its words, as they were written.
        places: Which of them the network reads, rising.
        pieces: For each piece that the network reads, which of `places` it belongs to.
    """

    words: list[str]
    places: list[int]
    pieces: list[int]


def joined(words: Sequence[str]) -> tuple[str, list[Span]]:
    """Put words into a text, a space between two, and say where each stands."""
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return " ".join(words), spans


def read_words(value: str | tuple[str, ...], pieces: Sequence[Span]) -> Reading:
    """Find the words of an input, and whose the pieces are.

    Words of a text are letters with inner apostrophes ("don't"), runs of other signs, and single ideographs. Where
    a piece goes over the end of a word, its words are one.

    Args:
        value: A text, or its words.
        pieces: Where the pieces stand: in the text, or in the words with a space between two.
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
    """A piece without the white space before it."""
    start, end = piece
    while start < end and text[start].isspace():
        start += 1
    return start, end


def _united(words: Sequence[Span], pieces: Sequence[Span]) -> list[Span]:
    """Make one of words that a piece belongs to together. White space between them stays in it."""
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
    """The word that each piece begins in; one that stands between words belongs to the next, or to the last."""
    owners, at = [], 0
    for start, _ in pieces:
        while at < len(words) - 1 and words[at][1] <= start:
            at += 1
        owners.append(at)
    return owners
