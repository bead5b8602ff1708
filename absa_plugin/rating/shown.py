"""The selection of products where not all fit, and the formatting of ratings."""

from __future__ import annotations

from collections.abc import Sequence

from absa_plugin.rating.ratings import Change, Rating, Ratings
from mtl_core.report.wording import MINUS, NONE

MOST = 20
"""Maximum number of products in a chart; those with the most reviews are selected."""


def shown_products(ratings: Ratings, most: int = MOST) -> list[str]:
    """Return the products with the most reviews, sorted by name."""
    ranked = sorted(ratings.products, key=lambda name: -ratings.products[name])
    chosen = set(ranked[:most])
    return [name for name in ratings.products if name in chosen]


def stars(value: float | None) -> str:
    """Format a rating: `4.2`."""
    return NONE if value is None else f"{value:.1f}"


def span(one: Rating) -> str:
    """Format the interval of a rating: its bounds with a dash in between; empty without a rating."""
    return f"{stars(one.rating.low)} {NONE} {stars(one.rating.high)}" if one.rating is not None else ""


def moved(change: Change) -> str:
    """Format a change: `+0.81 (+0.22 to +1.34)`."""
    return f"{_signed(change.difference)} ({_signed(change.low)} to {_signed(change.high)})"


def periods(names: Sequence[str]) -> str:
    """Format consecutive periods: `2025-01 to 2025-03`."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def stands_out(one: Rating, mean: float | None) -> int:
    """Return 1 if a rating is clearly above the mean of all products, -1 if it is clearly below, otherwise 0."""
    if one.rating is None or mean is None:
        return 0
    return int(one.rating.low > mean) - int(one.rating.high < mean)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
