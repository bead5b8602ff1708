"""The best quotes, without duplicates, in constant memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mtl_ratings.opinions import ScoredSentence

_MARKS = re.compile(r"\W+")
MIN_QUOTE_WORDS = 4
"""Minimum number of words of a preferred quote; a shorter sentence is used only if no other exists."""
MAX_QUOTE_CHARACTERS = 280
"""Maximum number of characters of a preferred quote; a longer sentence is truncated."""


@dataclass(frozen=True)
class Quote:
    """A quoted sentence of a review.

    Attributes:
        text: The sentence.
        location: The location of the review in its file.
        confidence: The probability that it mentions the aspect with the given polarity.
    """

    text: str
    location: str
    confidence: float


@dataclass
class Quotes:
    """The best distinct sentences, in descending order; of equal sentences, the earlier comes first."""

    items: list[Quote] = field(default_factory=list)

    def insert(self, scored_sentence: ScoredSentence, location: str, limit: int) -> None:
        """Insert a sentence if it is among the best `limit` sentences."""
        quote = Quote(scored_sentence.sentence, location, round(scored_sentence.confidence, 4))
        if limit == 0 or (len(self.items) >= limit and _compute_sort_key(quote) <= _compute_sort_key(self.items[-1])):
            return
        if any(_normalize(one.text) == _normalize(quote.text) for one in self.items):
            return
        index = next(
            (n for n, one in enumerate(self.items) if _compute_sort_key(quote) > _compute_sort_key(one)),
            len(self.items),
        )
        self.items.insert(index, quote)
        del self.items[limit:]


def _normalize(text: str) -> str:
    """Return the normalised text, without spaces, punctuation and case, to detect duplicates."""
    return _MARKS.sub("", text.casefold())


def _compute_sort_key(quote: Quote) -> tuple[bool, float]:
    return len(quote.text.split()) >= MIN_QUOTE_WORDS and len(quote.text) <= MAX_QUOTE_CHARACTERS, quote.confidence
