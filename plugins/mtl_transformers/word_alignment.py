"""Alignment of the words and the subwords of a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end, in characters."""
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_COMBINING_MARKS = "".join(
    chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M")
)
"""Combining marks, such as accents and vowel signs; they belong to the preceding character."""
_ALPHABETIC = rf"(?:(?![{_IDEOGRAPHS}])\w[{_COMBINING_MARKS}]*+)++"
_WORD = re.compile(rf"[{_IDEOGRAPHS}][{_COMBINING_MARKS}]*+|{_ALPHABETIC}(?:['\u2019]{_ALPHABETIC})*+|[^\w\s]++")


@dataclass(frozen=True)
class WordAlignment:
    """The words of an input, aligned with the tokens and subwords that the network reads.

    Attributes:
        words: All words, as written.
        token_to_word: The index of the word of each token, increasing.
        subword_to_token: The index of the token of each subword, non-decreasing.
    """

    words: list[str]
    token_to_word: list[int]
    subword_to_token: list[int]


def join_words(words: Sequence[str]) -> tuple[str, list[Span]]:
    """Join words with spaces; return the text and the span of each word."""
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return " ".join(words), spans


def align_words(value: str | tuple[str, ...], subword_spans: Sequence[Span]) -> WordAlignment:
    """Find the words of an input, and align them with its subwords.

    Words of a text are sequences of letters with inner apostrophes ("don't"), sequences of other characters, and
    single ideographs. Words that share a subword are merged.

    Args:
        value: A text, or its words.
        subword_spans: The spans of the subwords in the text, or in the words joined with spaces.
    """
    if isinstance(value, str):
        text, trimmed_spans = value, [_trim_left(value, span) for span in subword_spans]
        word_spans = _merge_words([match.span() for match in _WORD.finditer(value)], trimmed_spans)
    else:
        text, word_spans = join_words(value)
        trimmed_spans = [_trim_left(text, span) for span in subword_spans]
    word_indices = _assign_words(trimmed_spans, word_spans)
    token_to_word = sorted(set(word_indices))
    token_indices = {word_index: token for token, word_index in enumerate(token_to_word)}
    return WordAlignment(
        [text[start:end] for start, end in word_spans],
        token_to_word,
        [token_indices[word_index] for word_index in word_indices],
    )


def _trim_left(text: str, span: Span) -> Span:
    """Return the span without leading white space."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    return start, end


def _merge_words(word_spans: Sequence[Span], subword_spans: Sequence[Span]) -> list[Span]:
    """Merge words that share a subword, with the white space between them."""
    merged_spans: list[Span] = []
    index = 0
    for start, end in word_spans:
        while index < len(subword_spans) and subword_spans[index][1] <= start:
            index += 1
        is_crossed = index < len(subword_spans) and subword_spans[index][0] < start
        if is_crossed and merged_spans:
            merged_spans[-1] = (merged_spans[-1][0], end)
        else:
            merged_spans.append((start, end))
    return merged_spans


def _assign_words(subword_spans: Sequence[Span], word_spans: Sequence[Span]) -> list[int]:
    """Return the index of the word in which each subword begins; between words, the next word (or the last)."""
    word_indices, index = [], 0
    for start, _ in subword_spans:
        while index < len(word_spans) - 1 and word_spans[index][1] <= start:
            index += 1
        word_indices.append(index)
    return word_indices
