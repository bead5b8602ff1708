"""The tables of the page of ratings."""

from __future__ import annotations

from itertools import zip_longest

from mtl_core.reporting import NO_VALUE, Cell, Column, Table, format_count, format_percent, pluralize
from mtl_ratings.formatting import (
    format_change,
    format_interval,
    format_selection_note,
    format_stars,
    select_products,
)
from mtl_ratings.provenance import Provenance
from mtl_ratings.quotes import MAX_QUOTE_CHARACTERS, Quote
from mtl_ratings.ratings import PeriodMean, Rating, Ratings

MAX_TABLE_PRODUCTS = 200
"""Maximum number of products in the table; those with the most reviews are selected."""


def build_ratings_table(ratings: Ratings, provenance: Provenance) -> Table:
    """Build the table of all ratings, with the products of the most reviews."""
    rows = [
        [
            Cell(product),
            Cell(format_count(ratings.products[product])),
            *(_build_rating_cell(ratings.ratings[product, one.aspect]) for one in ratings.aspects),
        ]
        for product in select_products(ratings, MAX_TABLE_PRODUCTS)
    ]
    footer = [Cell("mean of all"), Cell(format_count(ratings.reviews))]
    footer += [Cell(format_stars(one.mean), f"n {format_count(one.mentions)}") for one in ratings.aspects]
    note = (
        f"Ratings from 1 (all negative) to 5 (all positive), with 95 % intervals; n is the number of reviews that "
        f"mention the aspect. {NO_VALUE} means insufficient evidence: fewer than {ratings.settings.min_mentions}."
    )
    return Table(
        caption="Ratings by aspect",
        columns=[
            Column(provenance.noun, is_numeric=False),
            Column("reviews"),
            *(Column(one.aspect) for one in ratings.aspects),
        ],
        rows=rows,
        footer=[footer] if len(ratings.products) > 1 else [],
        notes=[note + format_selection_note(ratings, MAX_TABLE_PRODUCTS)],
        stacked=True,
    )


def _build_rating_cell(rating: Rating) -> Cell:
    n = f"n {format_count(rating.mentions)}"
    if rating.rating is None:
        return Cell(NO_VALUE, n)
    return Cell(format_stars(rating.rating.value), f"{format_interval(rating)} · {n}", strong=True)


def build_change_table(ratings: Ratings, provenance: Provenance, before: str, after: str) -> Table:
    """Build the table of changes, `after` minus `before`."""
    table_products = set(select_products(ratings, MAX_TABLE_PRODUCTS))
    return Table(
        caption=f"Change in stars, {after} against {before}",
        columns=[
            Column(provenance.noun, is_numeric=False),
            Column("aspect", is_numeric=False),
            Column("change"),
            Column("", False),
        ],
        rows=[
            [
                Cell(one.product),
                Cell(one.aspect),
                Cell(format_change(one.change), strong=one.change.is_clear),
                Cell("clear" if one.change.is_clear else "no clear change"),
            ]
            for one in ratings.rows
            if one.change is not None and one.product in table_products
        ],
    )


def build_period_table(ratings: Ratings, aspect: str, provenance: Provenance) -> Table:
    """Build the table of the means of one aspect per period."""
    names = [*ratings.earlier, *ratings.later]
    rows = []
    for product in select_products(ratings):
        means_by_period = {one.period: one for one in ratings.ratings[product, aspect].periods}
        rows.append([Cell(product), *(_build_period_cell(means_by_period.get(name)) for name in names)])
    columns = [Column(provenance.noun, is_numeric=False), *(Column(name) for name in names)]
    return Table(f"{aspect}: mean stars by {provenance.columns.period}", columns, rows, stacked=True)


def _build_period_cell(period_mean: PeriodMean | None) -> Cell:
    if period_mean is None:
        return Cell(NO_VALUE, "n 0")
    return Cell(
        format_stars(period_mean.mean.value if period_mean.mean is not None else None),
        f"n {format_count(period_mean.mentions)}",
    )


def build_product_table(ratings: Ratings, product: str) -> Table:
    """Build the table of a product: one row per aspect."""
    columns = ["mentioned by", "positive", "neutral", "negative", "rating"]
    return Table(
        caption=f"{product}: {pluralize(ratings.products[product], 'review')}",
        columns=[Column("aspect", is_numeric=False), *map(Column, columns)],
        rows=[_build_aspect_row(ratings.ratings[product, one.aspect]) for one in ratings.aspects],
    )


def _build_aspect_row(one: Rating) -> list[Cell]:
    shares = [
        Cell(format_percent(share) if one.mentions else NO_VALUE) for share in (one.positive, one.neutral, one.negative)
    ]
    rating_cell = (
        Cell("insufficient evidence")
        if one.rating is None
        else Cell(format_stars(one.rating.value), format_interval(one), strong=True)
    )
    return [Cell(one.aspect), Cell(pluralize(one.mentions, "review")), *shares, rating_cell]


def build_quote_table(ratings: Ratings, product: str) -> Table:
    """Build the table of a product's quotes, without rows if it has none."""
    columns = [Column(name, is_numeric=False) for name in ("aspect", "for", "against")]
    rows = [row for one in ratings.aspects for row in _build_quote_rows(ratings.ratings[product, one.aspect])]
    return Table(f"{product}: what customers say", columns, rows, stacked=True)


def _build_quote_rows(rating: Rating) -> list[list[Cell]]:
    pairs = zip_longest(rating.praise, rating.complaints)
    return [[Cell(rating.aspect, is_repeated=n > 0), *map(_build_quote_cell, pair)] for n, pair in enumerate(pairs)]


def _build_quote_cell(quote: Quote | None) -> Cell:
    return Cell("") if quote is None else Cell(_truncate(quote.text), quote.location)


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_QUOTE_CHARACTERS else text[:MAX_QUOTE_CHARACTERS].rsplit(" ", 1)[0] + " …"
