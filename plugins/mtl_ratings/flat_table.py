"""Ratings as a flat table with one row per product and aspect."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mtl_ratings.ratings import Change, Estimate, Rating, Ratings

Value = str | int | float | bool | None
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""Prefixes of cells that spreadsheets evaluate as formulas; reviews are untrusted input."""


class FlatColumn(NamedTuple):
    """A column: its name, the type of its non-empty cells, and the function that computes a cell."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]
    compute_cell: Callable[[Rating, Ratings], Value]


COLUMNS = (
    FlatColumn("product", str, lambda one, _: one.product),
    FlatColumn("aspect", str, lambda one, _: one.aspect),
    FlatColumn("reviews", int, lambda one, all_: all_.products[one.product]),
    FlatColumn("mentions", int, lambda one, _: one.mentions),
    FlatColumn("positive", float, lambda one, _: _compute_count(one, one.positive)),
    FlatColumn("neutral", float, lambda one, _: _compute_count(one, one.neutral)),
    FlatColumn("negative", float, lambda one, _: _compute_count(one, one.negative)),
    FlatColumn("positive_share", float, lambda one, _: _compute_share(one, one.positive)),
    FlatColumn("neutral_share", float, lambda one, _: _compute_share(one, one.neutral)),
    FlatColumn("negative_share", float, lambda one, _: _compute_share(one, one.negative)),
    FlatColumn("conflict_share", float, lambda one, _: _compute_share(one, one.conflict)),
    FlatColumn("rating", float, lambda one, _: _get_value(one.rating, "value")),
    FlatColumn("low", float, lambda one, _: _get_value(one.rating, "low")),
    FlatColumn("high", float, lambda one, _: _get_value(one.rating, "high")),
    FlatColumn("evidence", str, lambda one, _: "insufficient" if one.rating is None else "sufficient"),
    FlatColumn("change", float, lambda one, _: _get_value(one.change, "difference")),
    FlatColumn("change_low", float, lambda one, _: _get_value(one.change, "low")),
    FlatColumn("change_high", float, lambda one, _: _get_value(one.change, "high")),
    FlatColumn("change_is_clear", bool, lambda one, _: None if one.change is None else one.change.is_clear),
    FlatColumn("praise", str, lambda one, _: " | ".join(quote.text for quote in one.praise)),
    FlatColumn("complaints", str, lambda one, _: " | ".join(quote.text for quote in one.complaints)),
)


def build_rows(ratings: Ratings) -> list[Mapping[str, Value]]:
    """Return all ratings as rows; numbers have four decimals."""
    return [{column.name: column.compute_cell(one, ratings) for column in COLUMNS} for one in ratings.rows]


def format_csv(ratings: Ratings) -> str:
    """Return ratings as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in COLUMNS)
    for row in build_rows(ratings):
        writer.writerow(_escape_formula(value) for value in row.values())
    return text.getvalue()


def _escape_formula(value: Any) -> Any:
    """Prefix formulas with an apostrophe, and convert booleans to `yes` and `no`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value


def _compute_count(rating: Rating, share: float) -> float:
    return round(share * rating.mentions, 4)


def _compute_share(rating: Rating, share: float) -> float | None:
    return round(share, 4) if rating.mentions else None


def _get_value(estimate: Estimate | Change | None, name: str) -> float | None:
    return None if estimate is None else round(getattr(estimate, name), 4)
