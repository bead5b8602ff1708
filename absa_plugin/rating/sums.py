"""The aggregates of reviews in constant memory per product: sums and a few quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from absa_plugin.rating.intervals import Sample
from absa_plugin.rating.opinions import Heard, Said, Shares

_MARKS = re.compile(r"\W+")
UNDATED = ""
"""The period of reviews without a date."""
FEWEST_WORDS = 4
"""Minimum number of words of a preferred quote; a shorter sentence is used only if no other exists."""
LONGEST_QUOTE = 280
"""Maximum number of characters of a preferred quote; a longer sentence is truncated."""


@dataclass
class Tally:
    """Number of reviews that mention an aspect, the sum of each polarity, and the sum of squared scores."""

    reviews: int = 0
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    conflict: float = 0.0
    squares: float = 0.0

    def add(self, shares: Shares) -> None:
        """Add one review."""
        self.reviews += 1
        self.positive += shares.positive
        self.negative += shares.negative
        self.neutral += shares.neutral
        self.conflict += shares.conflict
        self.squares += shares.score**2

    @property
    def score(self) -> float:
        """The sum of the scores, from 0 to `reviews`; see `Shares.score`."""
        return self.positive + (self.neutral + self.conflict) / 2

    @property
    def sample(self) -> Sample:
        """The sample of the reviews' scores."""
        return Sample(self.reviews, self.score, self.squares)


def together(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of counts."""
    total = Tally()
    for one in tallies:
        total.reviews += one.reviews
        total.positive += one.positive
        total.negative += one.negative
        total.neutral += one.neutral
        total.conflict += one.conflict
        total.squares += one.squares
    return total


@dataclass(frozen=True)
class Quote:
    """A quoted sentence of a review.

    Attributes:
        text: The sentence.
        where: The location of the review in its file.
        sure: The probability that it mentions the aspect with the given polarity.
    """

    text: str
    where: str
    sure: float


@dataclass
class Quotes:
    """The best distinct sentences, in descending order; of equal sentences, the earlier comes first."""

    kept: list[Quote] = field(default_factory=list)

    def offer(self, said: Said, where: str, limit: int) -> None:
        """Insert a sentence if it is among the best `limit` sentences."""
        new = Quote(said.sentence, where, round(said.sure, 4))
        if limit == 0 or (len(self.kept) >= limit and _worth(new) <= _worth(self.kept[-1])):
            return
        if any(_letters(one.text) == _letters(new.text) for one in self.kept):
            return
        place_in = next((n for n, one in enumerate(self.kept) if _worth(new) > _worth(one)), len(self.kept))
        self.kept.insert(place_in, new)
        del self.kept[limit:]


def _letters(text: str) -> str:
    """Return the normalised text, without spaces, punctuation and case, to detect duplicates."""
    return _MARKS.sub("", text.casefold())


def _worth(quote: Quote) -> tuple[bool, float]:
    return len(quote.text.split()) >= FEWEST_WORDS and len(quote.text) <= LONGEST_QUOTE, quote.sure


@dataclass
class AspectSums:
    """The aggregates of one product's reviews for one aspect.

    Attributes:
        periods: Period to counts; `UNDATED` for reviews without a date.
        praise: Positive quotes.
        complaints: Negative quotes.
    """

    periods: dict[str, Tally] = field(default_factory=dict)
    praise: Quotes = field(default_factory=Quotes)
    complaints: Quotes = field(default_factory=Quotes)

    @property
    def total(self) -> Tally:
        """The sum over all periods."""
        return together(tally for _, tally in sorted(self.periods.items()))


@dataclass
class ProductSums:
    """The aggregates of one product: the number of its reviews, and the aggregates per aspect."""

    reviews: int = 0
    aspects: dict[str, AspectSums] = field(default_factory=dict)


@dataclass
class Sums:
    """The aggregates of all reviews.

    Attributes:
        quotes: Maximum number of quotes for and against each aspect of a product.
        products: Product name to its aggregates.
    """

    quotes: int = 3
    products: dict[str, ProductSums] = field(default_factory=dict)

    @property
    def reviews(self) -> int:
        """The number of reviews."""
        return sum(product.reviews for product in self.products.values())

    def add(self, heard: Heard) -> None:
        """Add a review, which counts once for each aspect that it mentions, regardless of its length."""
        review = heard.review
        product = self.products.setdefault(review.product, ProductSums())
        product.reviews += 1
        for name, opinion in heard.opinions.items():
            aspect = product.aspects.setdefault(name, AspectSums())
            aspect.periods.setdefault(review.period or UNDATED, Tally()).add(opinion.shares)
            if opinion.praise is not None:
                aspect.praise.offer(opinion.praise, review.where, self.quotes)
            if opinion.complaint is not None:
                aspect.complaints.offer(opinion.complaint, review.where, self.quotes)
