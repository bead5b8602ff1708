"""The page of ratings: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from absa_plugin.rating.origin import Origin
from absa_plugin.rating.page_words import closing, facts, headline, in_short, method
from absa_plugin.rating.picture import aspect_drawings
from absa_plugin.rating.ratings import InPeriod, Rating, Ratings
from absa_plugin.rating.shown import MOST, moved, periods, shown_products, span, stars
from absa_plugin.rating.sums import LONGEST_QUOTE, Quote
from mtl_core.report.blocks import (
    Block,
    Cell,
    Column,
    FigureBlock,
    Folded,
    Page,
    Section,
    Table,
    Words,
)
from mtl_core.report.figures.canvas import Drawing, drawing
from mtl_core.report.figures.differences import Gap, Gaps, draw_differences
from mtl_core.report.figures.palette import PAGE, Palette
from mtl_core.report.page import render
from mtl_core.report.wording import NONE, count, counted, percent

IN_TABLE = 200
"""Maximum number of products in the table; those with the most reviews are selected."""
SECTIONS = 12
"""Maximum number of products with a separate section and quotes."""


def page_text(ratings: Ratings, origin: Origin) -> str:
    """Render the page as HTML."""
    with drawing(PAGE):
        return render(ratings_page(ratings, origin, PAGE))


def ratings_page(ratings: Ratings, origin: Origin, palette: Palette) -> Page:
    """Build the page of ratings.

    Args:
        ratings: The ratings.
        origin: Their provenance.
        palette: The colours of figures; it must be the palette of the active `drawing` context.
    """
    return Page(
        kind="ratings",
        title=origin.file,
        headline=headline(ratings, origin),
        notice=origin.notice,
        facts=facts(ratings, origin),
        sections=list(_sections(ratings, origin, palette)),
        closing=closing(origin),
    )


def _sections(ratings: Ratings, origin: Origin, palette: Palette) -> Iterator[Section]:
    yield Section("in-short", "In short", [Words(in_short(ratings, origin), points=True)])
    caption = (
        "Each rating with its 95 % interval; the number on the right counts the reviews that mention the aspect."
        + (
            " The dashed line is the mean of all; a filled dot is clearly above or below it."
            if _several(ratings)
            else ""
        )
        + _of_many(ratings, MOST)
    )
    blocks: list[Block] = [_table(ratings, origin), FigureBlock(caption, aspect_drawings(ratings, palette))]
    yield Section("ratings", "Ratings", blocks)
    if ratings.later:
        yield Section("time", "Over time", list(_time(ratings, origin, palette)))
    chosen = shown_products(ratings, SECTIONS)
    for place, product in enumerate(chosen, start=1):
        more = place == len(chosen) < len(ratings.products)
        yield Section(f"product-{place}", product, list(_product(ratings, product, more)))
    if origin.survey.bad:
        yield _bad_rows(origin)
    yield Section("method", "How ratings are made", [Words(method(ratings))])


def _several(ratings: Ratings) -> bool:
    return len(ratings.products) > 1


def _of_many(ratings: Ratings, most: int) -> str:
    if len(ratings.products) <= most:
        return ""
    return f" The {most} with the most reviews are shown, of {count(len(ratings.products))}."


def _table(ratings: Ratings, origin: Origin) -> Table:
    rows = [
        [
            Cell(product),
            Cell(count(ratings.products[product])),
            *(_rating_cell(ratings.ratings[product, one.aspect]) for one in ratings.aspects),
        ]
        for product in shown_products(ratings, IN_TABLE)
    ]
    foot = [Cell("mean of all"), Cell(count(ratings.reviews))]
    foot += [Cell(stars(one.mean), f"n {count(one.mentions)}") for one in ratings.aspects]
    note = (
        f"Ratings from 1 (all negative) to 5 (all positive), with 95 % intervals; n is the number of reviews that "
        f"mention the aspect. {NONE} means insufficient evidence: fewer than {ratings.settings.min_mentions}."
    )
    return Table(
        caption="Ratings by aspect",
        columns=[
            Column(origin.noun, number=False),
            Column("reviews"),
            *(Column(one.aspect) for one in ratings.aspects),
        ],
        rows=rows,
        foot=[foot] if _several(ratings) else [],
        notes=[note + _of_many(ratings, IN_TABLE)],
        stacked=True,
    )


def _rating_cell(one: Rating) -> Cell:
    n = f"n {count(one.mentions)}"
    if one.rating is None:
        return Cell(NONE, n)
    return Cell(stars(one.rating.value), f"{span(one)} · {n}", strong=True)


def _time(ratings: Ratings, origin: Origin, palette: Palette) -> Iterator[Block]:
    rows = [one for one in ratings.rows if one.change is not None]
    before, after = periods(ratings.earlier), periods(ratings.later)
    if not rows:
        yield Words([f"No aspect was mentioned often enough in both {before} and {after} for a comparison."])
    else:
        caption = (
            f"Change in stars, {after} against {before}, with 95 % intervals; right of zero is better. A hollow "
            "marker is no clear change: its interval contains zero." + _of_many(ratings, MOST)
        )
        yield FigureBlock(caption, list(_change_drawings(ratings, palette)))
        yield Folded("The changes in numbers", [_changes(ratings, origin, before, after)])
    yield Folded(
        f"The mean of each {origin.columns.period}",
        [_period_table(ratings, one.aspect, origin) for one in ratings.aspects],
    )


def _change_drawings(ratings: Ratings, palette: Palette) -> Iterator[Drawing]:
    products = shown_products(ratings)
    for place, aspect in enumerate(ratings.aspects, start=1):
        changes = {product: ratings.ratings[product, aspect.aspect].change for product in products}
        gaps = {
            product: Gap(change.difference, change.low, change.high, change.clear)
            for product, change in changes.items()
            if change is not None
        }
        if gaps:
            series = [Gaps(aspect.aspect, 0, gaps)]
            axis = f"{aspect.aspect}: change in stars"
            yield draw_differences(f"change-{place}", list(gaps), series, axis, False, palette, named=False)


def _changes(ratings: Ratings, origin: Origin, before: str, after: str) -> Table:
    chosen = set(shown_products(ratings, IN_TABLE))
    return Table(
        caption=f"Change in stars, {after} against {before}",
        columns=[
            Column(origin.noun, number=False),
            Column("aspect", number=False),
            Column("change"),
            Column("", False),
        ],
        rows=[
            [
                Cell(one.product),
                Cell(one.aspect),
                Cell(moved(one.change), strong=one.change.clear),
                Cell("clear" if one.change.clear else "no clear change"),
            ]
            for one in ratings.rows
            if one.change is not None and one.product in chosen
        ],
    )


def _period_table(ratings: Ratings, aspect: str, origin: Origin) -> Table:
    names = [*ratings.earlier, *ratings.later]
    rows = []
    for product in shown_products(ratings):
        found = {one.period: one for one in ratings.ratings[product, aspect].periods}
        rows.append([Cell(product), *(_period_cell(found.get(name)) for name in names)])
    columns = [Column(origin.noun, number=False), *(Column(name) for name in names)]
    return Table(f"{aspect}: mean stars by {origin.columns.period}", columns, rows, stacked=True)


def _period_cell(found: InPeriod | None) -> Cell:
    if found is None:
        return Cell(NONE, "n 0")
    return Cell(stars(found.mean.value if found.mean is not None else None), f"n {count(found.mentions)}")


def _product(ratings: Ratings, product: str, more: bool) -> Iterator[Block]:
    found = [ratings.ratings[product, one.aspect] for one in ratings.aspects]
    columns = ["mentioned by", "positive", "neutral", "negative", "rating"]
    yield Table(
        caption=f"{product}: {counted(ratings.products[product], 'review')}",
        columns=[Column("aspect", number=False), *map(Column, columns)],
        rows=[_aspect_row(one) for one in found],
    )
    quotes = [row for one in found for row in _quote_rows(one)]
    if quotes:
        said = [Column("aspect", number=False), Column("for", number=False), Column("against", number=False)]
        yield Table(f"{product}: what customers say", said, quotes, stacked=True)
    if more:
        yield Words(
            [
                _of_many(ratings, SECTIONS).strip()
                + " The others are in the table above; `--out ratings.json` contains all of them."
            ]
        )


def _aspect_row(one: Rating) -> list[Cell]:
    shares = [Cell(percent(share) if one.mentions else NONE) for share in (one.positive, one.neutral, one.negative)]
    rating = (
        Cell("insufficient evidence")
        if one.rating is None
        else Cell(stars(one.rating.value), span(one), strong=True)
    )
    return [Cell(one.aspect), Cell(counted(one.mentions, "review")), *shares, rating]


def _quote_rows(one: Rating) -> list[list[Cell]]:
    pairs = zip_longest(one.praise, one.complaints)
    return [[Cell(one.aspect, again=n > 0), *map(_quote_cell, pair)] for n, pair in enumerate(pairs)]


def _quote_cell(quote: Quote | None) -> Cell:
    return Cell("") if quote is None else Cell(_cut(quote.text), quote.where)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE].rsplit(" ", 1)[0] + " …"


def _bad_rows(origin: Origin) -> Section:
    survey = origin.survey
    shown = f"; the first {len(survey.told)}" if survey.bad > len(survey.told) else ""
    return Section(
        "bad-rows",
        "Skipped rows",
        [Words([f"{counted(survey.bad, 'row')} could not be read{shown}:"]), Words(survey.told, points=True)],
    )
