"""The selection of products where not all fit, and the formatting of ratings."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_core.reporting import MINUS_SIGN, NO_VALUE, format_count
from mtl_ratings.ratings import Change, Rating, Ratings

MAX_PRODUCTS = 20
"""Maximum number of products in a chart; those with the most reviews are selected."""


def select_products(ratings: Ratings, max_products: int = MAX_PRODUCTS) -> list[str]:
    """Return the products with the most reviews, sorted by name."""
    ranked = sorted(ratings.products, key=lambda name: -ratings.products[name])
    selection = set(ranked[:max_products])
    return [name for name in ratings.products if name in selection]


def format_selection_note(ratings: Ratings, max_products: int) -> str:
    """Return a note about the products that are not shown; empty if all are."""
    if len(ratings.products) <= max_products:
        return ""
    return f" The {max_products} with the most reviews are shown, of {format_count(len(ratings.products))}."


def format_stars(value: float | None) -> str:
    """Format a rating: `4.2`."""
    return NO_VALUE if value is None else f"{value:.1f}"


def format_interval(rating: Rating) -> str:
    """Format the interval of a rating: its bounds with a dash in between; empty without a rating."""
    return (
        f"{format_stars(rating.rating.low)} {NO_VALUE} {format_stars(rating.rating.high)}"
        if rating.rating is not None
        else ""
    )


def format_change(change: Change) -> str:
    """Format a change: `+0.81 (+0.22 to +1.34)`."""
    return f"{_format_signed(change.difference)} ({_format_signed(change.low)} to {_format_signed(change.high)})"


def format_periods(names: Sequence[str]) -> str:
    """Format consecutive periods: `2025-01 to 2025-03`."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def compare_to_mean(rating: Rating, mean: float | None) -> int:
    """Return 1 if a rating is clearly above the mean of all products, -1 if it is clearly below, otherwise 0."""
    if rating.rating is None or mean is None:
        return 0
    return int(rating.rating.low > mean) - int(rating.rating.high < mean)


def _format_signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS_SIGN)
