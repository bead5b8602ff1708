"""The page of ratings: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_core.reporting import (
    PAGE,
    Block,
    Collapsible,
    DifferenceSeries,
    Drawing,
    FigureBlock,
    Page,
    Palette,
    PlottedDifference,
    Section,
    TextBlock,
    draw_forest_plot,
    plot_style,
    pluralize,
    render_html,
)
from mtl_ratings.chart import plot_aspects
from mtl_ratings.formatting import MAX_PRODUCTS, format_periods, format_selection_note, select_products
from mtl_ratings.page_tables import (
    build_change_table,
    build_period_table,
    build_product_table,
    build_quote_table,
    build_ratings_table,
)
from mtl_ratings.page_text import (
    describe_method,
    format_closing,
    format_headline,
    list_facts,
    summarize_ratings,
)
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Ratings

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
        palette: The colours of figures; it must be the palette of the active `plot_style` context.
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
            if len(ratings.products) > 1
            else ""
        )
        + format_selection_note(ratings, MAX_PRODUCTS)
    )
    blocks: list[Block] = [
        build_ratings_table(ratings, provenance),
        FigureBlock(caption, plot_aspects(ratings, palette)),
    ]
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


def _build_time_blocks(ratings: Ratings, provenance: Provenance, palette: Palette) -> Iterator[Block]:
    rows = [one for one in ratings.rows if one.change is not None]
    before, after = format_periods(ratings.earlier), format_periods(ratings.later)
    if not rows:
        yield TextBlock([f"No aspect was mentioned often enough in both {before} and {after} for a comparison."])
    else:
        caption = (
            f"Change in stars, {after} against {before}, with 95 % intervals; right of zero is better. A hollow "
            "marker is no clear change: its interval contains zero." + format_selection_note(ratings, MAX_PRODUCTS)
        )
        yield FigureBlock(caption, list(_plot_changes(ratings, palette)))
        yield Collapsible("The changes in numbers", [build_change_table(ratings, provenance, before, after)])
    yield Collapsible(
        f"The mean of each {provenance.columns.period}",
        [build_period_table(ratings, one.aspect, provenance) for one in ratings.aspects],
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


def _build_product_blocks(ratings: Ratings, product: str, has_more: bool) -> Iterator[Block]:
    yield build_product_table(ratings, product)
    quotes = build_quote_table(ratings, product)
    if quotes.rows:
        yield quotes
    if has_more:
        yield TextBlock(
            [
                format_selection_note(ratings, MAX_PRODUCT_SECTIONS).strip()
                + " The others are in the table above; `--out ratings.json` contains all of them."
            ]
        )


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
