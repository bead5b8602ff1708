"""Ratings computed from the sums: stars, intervals, changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mtl_ratings.confidence_intervals import compute_difference, compute_interval
from mtl_ratings.settings import Settings
from mtl_ratings.sums import UNDATED, AspectSums, PolarityCounts, Quote, Sums, sum_counts


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


def compute_ratings(sums: Sums, aspects: Sequence[str], settings: Settings) -> Ratings:
    """Compute ratings from the sums.

    Args:
        sums: The aggregates of all reviews.
        aspects: All aspects, including those that no review mentions.
        settings: The settings.
    """
    products = sorted(sums.products, key=lambda name: (name.casefold(), name))
    cells = {
        (product, aspect): sums.products[product].aspects.get(aspect, AspectSums())
        for product in products
        for aspect in aspects
    }
    totals = {key: cell.total for key, cell in cells.items()}
    means = {aspect: sum_counts(totals[product, aspect] for product in products) for aspect in aspects}
    earlier, later = _split_periods(cells.values())
    return Ratings(
        settings=settings,
        reviews=sums.reviews,
        products={product: sums.products[product].reviews for product in products},
        aspects=[
            AspectMean(aspect, total.reviews, _to_stars(total.score / total.reviews) if total.reviews else None)
            for aspect, total in means.items()
        ],
        ratings={
            (product, aspect): _compute_rating(
                product, aspect, cells[product, aspect], totals[product, aspect], means[aspect], settings, later
            )
            for product, aspect in cells
        },
        earlier=earlier,
        later=later,
    )


def _compute_rating(
    product: str,
    aspect: str,
    cell: AspectSums,
    total: PolarityCounts,
    mean: PolarityCounts,
    settings: Settings,
    later: Sequence[str],
) -> Rating:
    n = total.reviews
    if not n:
        return Rating(product, aspect, 0)
    return Rating(
        product=product,
        aspect=aspect,
        mentions=n,
        positive=(total.positive + total.conflict / 2) / n,
        neutral=total.neutral / n,
        negative=(total.negative + total.conflict / 2) / n,
        conflict=total.conflict / n,
        rating=_shrink(total, mean, settings.prior_reviews) if n >= settings.min_mentions else None,
        praise=tuple(cell.praise.items),
        complaints=tuple(cell.complaints.items),
        periods=[
            PeriodMean(
                period,
                counts.reviews,
                _shrink(counts, counts, 0.0) if counts.reviews >= settings.min_mentions else None,
            )
            for period, counts in sorted(cell.periods.items())
            if period != UNDATED
        ],
        change=_compute_change(cell, later, settings.min_mentions),
    )


def _shrink(total: PolarityCounts, mean: PolarityCounts, prior: float) -> Estimate:
    """Shrink a mean towards the overall mean, which counts as `prior` additional reviews.

    The interval depends only on the product's reviews, so that it is also valid for a product unlike the others.
    If a few unanimous reviews put the rating outside the interval, the interval is extended to the rating.
    """
    rating = (prior * mean.score / mean.reviews + total.score) / (prior + total.reviews)
    low, high = compute_interval(total.sample)
    return Estimate(_to_stars(rating), _to_stars(min(low, rating)), _to_stars(max(high, rating)))


def _to_stars(share: float) -> float:
    return 1 + 4 * share


def _split_periods(cells: Iterable[AspectSums]) -> tuple[list[str], list[str]]:
    """Split the periods into an earlier and a later half, the same for all products."""
    periods = sorted({period for cell in cells for period in cell.periods} - {UNDATED})
    midpoint = len(periods) // 2
    return (periods[:midpoint], periods[midpoint:]) if midpoint else ([], [])


def _compute_change(cell: AspectSums, later: Sequence[str], min_mentions: int) -> Change | None:
    dated_counts = [(period, counts) for period, counts in sorted(cell.periods.items()) if period != UNDATED]
    later_counts = sum_counts(counts for period, counts in dated_counts if period in later)
    earlier_counts = sum_counts(counts for period, counts in dated_counts if period not in later)
    if not later or min(later_counts.reviews, earlier_counts.reviews) < max(min_mentions, 1):
        return None
    delta, low, high = compute_difference(later_counts.sample, earlier_counts.sample)
    return Change(4 * delta, 4 * low, 4 * high)
