"""What is kept of reviews: sums and a few quotes, however many reviews there are."""

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
"""A shorter sentence, such as "Great food!", is quoted only if there is nothing else."""
LONGEST_QUOTE = 280
"""The same for a longer one, which is cut then."""


@dataclass
class Tally:
    """Reviews that mention an aspect, how much of each polarity they are in all, and their squared scores."""

    reviews: int = 0
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    conflict: float = 0.0
    squares: float = 0.0

    def add(self, shares: Shares) -> None:
        """Count one more review."""
        self.reviews += 1
        self.positive += shares.positive
        self.negative += shares.negative
        self.neutral += shares.neutral
        self.conflict += shares.conflict
        self.squares += shares.score**2

    @property
    def score(self) -> float:
        """How positive all are together, from 0 to `reviews`; see `Shares.score`."""
        return self.positive + (self.neutral + self.conflict) / 2

    @property
    def sample(self) -> Sample:
        """The reviews' scores."""
        return Sample(self.reviews, self.score, self.squares)


def together(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
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
    """A sentence of a review.

    Attributes:
        text: The sentence.
        where: Where the review stands in its file.
        sure: The probability that it mentions the aspect and judges it so.
    """

    text: str
    where: str
    sure: float


@dataclass
class Quotes:
    """The best few of many sentences, the best first; of equals the earlier. No sentence stands there twice."""

    kept: list[Quote] = field(default_factory=list)

    def offer(self, said: Said, where: str, limit: int) -> None:
        """Keep a sentence if it is among the best."""
        new = Quote(said.sentence, where, round(said.sure, 4))
        if limit == 0 or (len(self.kept) >= limit and _worth(new) <= _worth(self.kept[-1])):
            return
        if any(_letters(one.text) == _letters(new.text) for one in self.kept):
            return
        place_in = next((n for n, one in enumerate(self.kept) if _worth(new) > _worth(one)), len(self.kept))
        self.kept.insert(place_in, new)
        del self.kept[limit:]


def _letters(text: str) -> str:
    """What makes two sentences the same, whatever their spaces, marks and capitals."""
    return _MARKS.sub("", text.casefold())


def _worth(quote: Quote) -> tuple[bool, float]:
    return len(quote.text.split()) >= FEWEST_WORDS and len(quote.text) <= LONGEST_QUOTE, quote.sure


@dataclass
class AspectSums:
    """What reviews of one product say of one aspect.

    Attributes:
        periods: Period to tally; `UNDATED` for reviews without a date.
        praise: Sentences for it.
        complaints: Sentences against it.
    """

    periods: dict[str, Tally] = field(default_factory=dict)
    praise: Quotes = field(default_factory=Quotes)
    complaints: Quotes = field(default_factory=Quotes)

    @property
    def total(self) -> Tally:
        """Of all periods."""
        return together(tally for _, tally in sorted(self.periods.items()))


@dataclass
class ProductSums:
    """What is kept of one product: the number of its reviews, and sums by aspect."""

    reviews: int = 0
    aspects: dict[str, AspectSums] = field(default_factory=dict)


@dataclass
class Sums:
    """What is kept of all reviews.

    Attributes:
        quotes: How many sentences are kept for and against an aspect of a product.
        products: Name to sums.
    """

    quotes: int = 3
    products: dict[str, ProductSums] = field(default_factory=dict)

    @property
    def reviews(self) -> int:
        """How many reviews were counted."""
        return sum(product.reviews for product in self.products.values())

    def add(self, heard: Heard) -> None:
        """Count a review: once for each aspect that it mentions, however long it is."""
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
