"""The aggregates of reviews in constant memory per product: sums and a few quotes."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtl_ratings.opinions import ReviewOpinions
from mtl_ratings.polarity_counts import PolarityCounts, sum_counts
from mtl_ratings.quotes import Quotes

UNDATED = ""
"""The period of reviews without a date."""


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
