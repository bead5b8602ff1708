"""Computation of ratings from the sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtl_ratings.confidence_intervals import compute_difference, compute_interval
from mtl_ratings.polarity_counts import PolarityCounts, sum_counts
from mtl_ratings.ratings import AspectMean, Change, Estimate, PeriodMean, Rating, Ratings
from mtl_ratings.settings import Settings
from mtl_ratings.sums import UNDATED, AspectSums, Sums


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
