"""Ratings: stars, intervals, changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtl_ratings.quotes import Quote
from mtl_ratings.settings import Settings


@dataclass(frozen=True)
class Estimate:
    """A value from 1 to 5, and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PeriodMean:
    """The mean rating of one period.

    Attributes:
        period: The name of the period.
        mentions: Number of reviews that mention the aspect.
        mean: Their mean; None with fewer than `min_mentions` reviews.
    """

    period: str
    mentions: int
    mean: Estimate | None


@dataclass(frozen=True)
class Change:
    """The change of a rating: the mean of the later half of the periods minus that of the earlier half.

    Attributes:
        difference: The change in stars.
        low: The lower bound of its 95 % interval.
        high: The upper bound.
    """

    difference: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Rating:
    """The rating of one aspect of one product.

    Attributes:
        product: The product.
        aspect: The aspect.
        mentions: Number of reviews that mention it.
        positive: Their positive share, the mean of the predicted probabilities; the three shares sum to 1, and a
            review in conflict counts half as positive, half as negative.
        neutral: Their neutral share.
        negative: Their negative share.
        conflict: The share in conflict, half of which is contained in `positive`, half in `negative`.
        rating: Stars, 1 to 5, shrunk towards the mean of all products; None with fewer than `min_mentions`.
        praise: Positive quotes, in descending order of confidence.
        complaints: Negative quotes, in descending order of confidence.
        periods: The mean of each period.
        change: The change over time; None without dates, or with too few mentions in either half.
    """

    product: str
    aspect: str
    mentions: int
    positive: float = 0.0
    neutral: float = 0.0
    negative: float = 0.0
    conflict: float = 0.0
    rating: Estimate | None = None
    praise: Sequence[Quote] = ()
    complaints: Sequence[Quote] = ()
    periods: Sequence[PeriodMean] = ()
    change: Change | None = None


@dataclass(frozen=True)
class AspectMean:
    """The number of all reviews that mention an aspect, and their mean, 1 to 5; None without mentions."""

    aspect: str
    mentions: int
    mean: float | None


@dataclass(frozen=True)
class Ratings:
    """All ratings.

    Attributes:
        settings: The settings.
        reviews: Number of reviews.
        products: Product name to number of reviews, sorted by name.
        aspects: The aspects, in the run's order.
        ratings: Product and aspect to rating, for all pairs.
        earlier: The earlier half of the periods.
        later: The later half.
    """

    settings: Settings
    reviews: int
    products: Mapping[str, int]
    aspects: Sequence[AspectMean]
    ratings: Mapping[tuple[str, str], Rating]
    earlier: Sequence[str] = field(default=())
    later: Sequence[str] = field(default=())

    @property
    def rows(self) -> list[Rating]:
        """All ratings, ordered by product."""
        return [self.ratings[product, aspect.aspect] for product in self.products for aspect in self.aspects]
