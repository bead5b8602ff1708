"""The aggregates of reviews in constant memory per product: sums and a few quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mtl_ratings.confidence_intervals import Sample
from mtl_ratings.opinions import ReviewOpinions, ScoredSentence, Shares

_MARKS = re.compile(r"\W+")
UNDATED = ""
"""The period of reviews without a date."""
MIN_QUOTE_WORDS = 4
"""Minimum number of words of a preferred quote; a shorter sentence is used only if no other exists."""
MAX_QUOTE_CHARACTERS = 280
"""Maximum number of characters of a preferred quote; a longer sentence is truncated."""


@dataclass
class PolarityCounts:
    """Number of reviews that mention an aspect, the sum of each polarity, and the sum of squared scores."""

    reviews: int = 0
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    conflict: float = 0.0
    sum_of_squares: float = 0.0

    def add(self, shares: Shares) -> None:
        """Add one review."""
        self.reviews += 1
        self.positive += shares.positive
        self.negative += shares.negative
        self.neutral += shares.neutral
        self.conflict += shares.conflict
        self.sum_of_squares += shares.score**2

    @property
    def score(self) -> float:
        """The sum of the scores, from 0 to `reviews`; see `Shares.score`."""
        return self.positive + (self.neutral + self.conflict) / 2

    @property
    def sample(self) -> Sample:
        """The sample of the reviews' scores."""
        return Sample(self.reviews, self.score, self.sum_of_squares)


def sum_counts(counts: Iterable[PolarityCounts]) -> PolarityCounts:
    """Return the sum of counts."""
    total = PolarityCounts()
    for one in counts:
        total.reviews += one.reviews
        total.positive += one.positive
        total.negative += one.negative
        total.neutral += one.neutral
        total.conflict += one.conflict
        total.sum_of_squares += one.sum_of_squares
    return total


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
        if limit == 0 or (
            len(self.items) >= limit and _compute_sort_key(quote) <= _compute_sort_key(self.items[-1])
        ):
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


@dataclass
class AspectSums:
    """The aggregates of one product's reviews for one aspect.

    Attributes:
        periods: Period to counts; `UNDATED` for reviews without a date.
        praise: Positive quotes.
        complaints: Negative quotes.
    """

    periods: dict[str, PolarityCounts] = field(default_factory=dict)
    praise: Quotes = field(default_factory=Quotes)
    complaints: Quotes = field(default_factory=Quotes)

    @property
    def total(self) -> PolarityCounts:
        """The sum over all periods."""
        return sum_counts(counts for _, counts in sorted(self.periods.items()))


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

    def add(self, review_opinions: ReviewOpinions) -> None:
        """Add a review, which counts once for each aspect that it mentions, regardless of its length."""
        review = review_opinions.review
        product = self.products.setdefault(review.product, ProductSums())
        product.reviews += 1
        for name, opinion in review_opinions.opinions.items():
            aspect = product.aspects.setdefault(name, AspectSums())
            aspect.periods.setdefault(review.period or UNDATED, PolarityCounts()).add(opinion.shares)
            if opinion.praise is not None:
                aspect.praise.insert(opinion.praise, review.short_location, self.quotes)
            if opinion.complaint is not None:
                aspect.complaints.insert(opinion.complaint, review.short_location, self.quotes)
