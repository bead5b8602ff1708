"""The page of ratings: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from mtl_core.reporting.blocks import (
    Block,
    Cell,
    Collapsible,
    Column,
    FigureBlock,
    Page,
    Section,
    Table,
    TextBlock,
)
from mtl_core.reporting.figures.canvas import Drawing, plot_style
from mtl_core.reporting.figures.forest_plot import DifferenceSeries, PlottedDifference, draw_forest_plot
from mtl_core.reporting.figures.palette import PAGE, Palette
from mtl_core.reporting.formatting import NO_VALUE, format_count, format_percent, pluralize
from mtl_core.reporting.html_page import render_html
from mtl_ratings.chart import plot_aspects
from mtl_ratings.formatting import (
    MAX_PRODUCTS,
    format_change,
    format_interval,
    format_periods,
    format_stars,
    select_products,
)
from mtl_ratings.page_text import (
    describe_method,
    format_closing,
    format_headline,
    list_facts,
    summarize_ratings,
)
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import PeriodMean, Rating, Ratings
from mtl_ratings.sums import MAX_QUOTE_CHARACTERS, Quote

MAX_TABLE_PRODUCTS = 200
"""Maximum number of products in the table; those with the most reviews are selected."""
MAX_PRODUCT_SECTIONS = 12
"""Maximum number of products with a separate section and quotes."""


def render_page(ratings: Ratings, provenance: Provenance) -> str:
    """Render the page as HTML."""
    with plot_style(PAGE):
        return render_html(build_page(ratings, provenance, PAGE))


def build_page(ratings: Ratings, provenance: Provenance, palette: Palette) -> Page:
    """Build the page of ratings.

    Args:
        ratings: The ratings.
        provenance: Their provenance.
        palette: The colours of figures; it must be the palette of the active `drawing` context.
    """
    return Page(
        kind="ratings",
        title=provenance.file,
        headline=format_headline(ratings, provenance),
        disclaimer=provenance.disclaimer,
        facts=list_facts(ratings, provenance),
        sections=list(_build_sections(ratings, provenance, palette)),
        footer=format_closing(provenance),
    )


def _build_sections(ratings: Ratings, provenance: Provenance, palette: Palette) -> Iterator[Section]:
    yield Section("in-short", "In short", [TextBlock(summarize_ratings(ratings, provenance), is_list=True)])
    caption = (
        "Each rating with its 95 % interval; the number on the right counts the reviews that mention the aspect."
        + (
            " The dashed line is the mean of all; a filled dot is clearly above or below it."
            if _has_several_products(ratings)
            else ""
        )
        + _format_selection_note(ratings, MAX_PRODUCTS)
    )
    blocks: list[Block] = [_build_table(ratings, provenance), FigureBlock(caption, plot_aspects(ratings, palette))]
    yield Section("ratings", "Ratings", blocks)
    if ratings.later:
        yield Section("time", "Over time", list(_build_time_blocks(ratings, provenance, palette)))
    section_products = select_products(ratings, MAX_PRODUCT_SECTIONS)
    for index, product in enumerate(section_products, start=1):
        has_more = index == len(section_products) < len(ratings.products)
        yield Section(f"product-{index}", product, list(_build_product_blocks(ratings, product, has_more)))
    if provenance.scan.n_bad:
        yield _build_bad_rows_section(provenance)
    yield Section("method", "How ratings are made", [TextBlock(describe_method(ratings))])


def _has_several_products(ratings: Ratings) -> bool:
    return len(ratings.products) > 1


def _format_selection_note(ratings: Ratings, max_products: int) -> str:
    if len(ratings.products) <= max_products:
        return ""
    return f" The {max_products} with the most reviews are shown, of {format_count(len(ratings.products))}."


def _build_table(ratings: Ratings, provenance: Provenance) -> Table:
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
        footer=[footer] if _has_several_products(ratings) else [],
        notes=[note + _format_selection_note(ratings, MAX_TABLE_PRODUCTS)],
        stacked=True,
    )


def _build_rating_cell(rating: Rating) -> Cell:
    n = f"n {format_count(rating.mentions)}"
    if rating.rating is None:
        return Cell(NO_VALUE, n)
    return Cell(format_stars(rating.rating.value), f"{format_interval(rating)} · {n}", strong=True)


def _build_time_blocks(ratings: Ratings, provenance: Provenance, palette: Palette) -> Iterator[Block]:
    rows = [one for one in ratings.rows if one.change is not None]
    before, after = format_periods(ratings.earlier), format_periods(ratings.later)
    if not rows:
        yield TextBlock([f"No aspect was mentioned often enough in both {before} and {after} for a comparison."])
    else:
        caption = (
            f"Change in stars, {after} against {before}, with 95 % intervals; right of zero is better. A hollow "
            "marker is no clear change: its interval contains zero." + _format_selection_note(ratings, MAX_PRODUCTS)
        )
        yield FigureBlock(caption, list(_plot_changes(ratings, palette)))
        yield Collapsible("The changes in numbers", [_build_change_table(ratings, provenance, before, after)])
    yield Collapsible(
        f"The mean of each {provenance.columns.period}",
        [_build_period_table(ratings, one.aspect, provenance) for one in ratings.aspects],
    )


def _plot_changes(ratings: Ratings, palette: Palette) -> Iterator[Drawing]:
    products = select_products(ratings)
    for index, aspect in enumerate(ratings.aspects, start=1):
        changes = {product: ratings.ratings[product, aspect.aspect].change for product in products}
        gaps = {
            product: PlottedDifference(change.difference, change.low, change.high, change.is_clear)
            for product, change in changes.items()
            if change is not None
        }
        if gaps:
            series = [DifferenceSeries(aspect.aspect, 0, gaps)]
            axis = f"{aspect.aspect}: change in stars"
            yield draw_forest_plot(f"change-{index}", list(gaps), series, axis, False, palette, show_legend=False)


def _build_change_table(ratings: Ratings, provenance: Provenance, before: str, after: str) -> Table:
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


def _build_period_table(ratings: Ratings, aspect: str, provenance: Provenance) -> Table:
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


def _build_product_blocks(ratings: Ratings, product: str, has_more: bool) -> Iterator[Block]:
    product_ratings = [ratings.ratings[product, one.aspect] for one in ratings.aspects]
    columns = ["mentioned by", "positive", "neutral", "negative", "rating"]
    yield Table(
        caption=f"{product}: {pluralize(ratings.products[product], 'review')}",
        columns=[Column("aspect", is_numeric=False), *map(Column, columns)],
        rows=[_build_aspect_row(one) for one in product_ratings],
    )
    quotes = [row for one in product_ratings for row in _build_quote_rows(one)]
    if quotes:
        quote_columns = [
            Column("aspect", is_numeric=False),
            Column("for", is_numeric=False),
            Column("against", is_numeric=False),
        ]
        yield Table(f"{product}: what customers say", quote_columns, quotes, stacked=True)
    if has_more:
        yield TextBlock(
            [
                _format_selection_note(ratings, MAX_PRODUCT_SECTIONS).strip()
                + " The others are in the table above; `--out ratings.json` contains all of them."
            ]
        )


def _build_aspect_row(one: Rating) -> list[Cell]:
    shares = [
        Cell(format_percent(share) if one.mentions else NO_VALUE)
        for share in (one.positive, one.neutral, one.negative)
    ]
    rating_cell = (
        Cell("insufficient evidence")
        if one.rating is None
        else Cell(format_stars(one.rating.value), format_interval(one), strong=True)
    )
    return [Cell(one.aspect), Cell(pluralize(one.mentions, "review")), *shares, rating_cell]


def _build_quote_rows(rating: Rating) -> list[list[Cell]]:
    pairs = zip_longest(rating.praise, rating.complaints)
    return [[Cell(rating.aspect, is_repeated=n > 0), *map(_build_quote_cell, pair)] for n, pair in enumerate(pairs)]


def _build_quote_cell(quote: Quote | None) -> Cell:
    return Cell("") if quote is None else Cell(_truncate(quote.text), quote.location)


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_QUOTE_CHARACTERS else text[:MAX_QUOTE_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _build_bad_rows_section(provenance: Provenance) -> Section:
    scan = provenance.scan
    limit_note = f"; the first {len(scan.messages)}" if scan.n_bad > len(scan.messages) else ""
    return Section(
        "bad-rows",
        "Skipped rows",
        [
            TextBlock([f"{pluralize(scan.n_bad, 'row')} could not be read{limit_note}:"]),
            TextBlock(scan.messages, is_list=True),
        ],
    )
