"""The progress bar and the table of ratings in the terminal."""

from __future__ import annotations

from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mtl_core.reporting import NO_VALUE, format_count, pluralize, truncate_label
from mtl_ratings.formatting import MAX_PRODUCTS, format_stars, select_products
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Rating, Ratings


class RatingProgress:
    """A progress bar with the number of processed reviews and the remaining time. Use as a context manager.

    Args:
        console: The console on which the bar is shown.
        reviews: Total number of reviews.
        done: Number of reviews that are already processed.
    """

    def __init__(self, console: Console, reviews: int, done: int) -> None:
        columns = (
            TextColumn("reviews"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
        )
        self._progress = Progress(*columns, TextColumn("left"), console=console, transient=True)
        self._bar = self._progress.add_task("", total=reviews, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, done: int) -> None:
        """Update the bar."""
        self._progress.update(self._bar, completed=done)


def print_ratings(console: Console, ratings: Ratings, provenance: Provenance) -> None:
    """Print the table of ratings, with its notes."""
    if provenance.disclaimer:
        console.print(provenance.disclaimer, style="bold yellow", highlight=False, markup=False)
    table = Table(title=f"{escape(provenance.file)}: ratings from 1 to 5 (reviews that mention it)", box=SIMPLE_HEAD)
    table.add_column(escape(truncate_label(provenance.noun)), no_wrap=True)
    table.add_column("reviews", justify="right")
    for one in ratings.aspects:
        table.add_column(escape(truncate_label(one.aspect, 16)), justify="right")
    for product in select_products(ratings):
        cells = [_format_cell(ratings.ratings[product, one.aspect]) for one in ratings.aspects]
        table.add_row(escape(truncate_label(product)), format_count(ratings.products[product]), *cells)
    if len(ratings.products) > 1:
        table.add_section()
        means = [f"{format_stars(one.mean)} ({format_count(one.mentions)})" for one in ratings.aspects]
        table.add_row("mean of all", format_count(ratings.reviews), *means)
    console.print(table)
    for note in _format_notes(ratings, provenance):
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _format_cell(rating: Rating) -> str:
    return f"{format_stars(rating.rating.value if rating.rating else None)} ({format_count(rating.mentions)})"


def _format_notes(ratings: Ratings, provenance: Provenance) -> list[str]:
    scan, notes = provenance.scan, []
    if any(one.rating is None for one in ratings.rows):
        notes.append(
            f"{NO_VALUE}: insufficient evidence, fewer than {pluralize(ratings.settings.min_mentions, 'review')}"
        )
    if len(ratings.products) > MAX_PRODUCTS:
        notes.append(f"shown: the {MAX_PRODUCTS} with the most reviews, of {format_count(len(ratings.products))}")
    if scan.n_empty:
        notes.append(f"{pluralize(scan.n_empty, 'review')} without text")
    if scan.n_undated:
        notes.append(f"{pluralize(scan.n_undated, 'review')} without a date: rated, but in no period")
    if scan.n_bad:
        notes.append(
            f"{pluralize(scan.n_bad, 'row')} could not be read and {'was' if scan.n_bad == 1 else 'were'} left out:"
        )
        notes += [f"  {message}" for message in scan.messages]
        notes += [f"  and {scan.n_bad - len(scan.messages)} more"] if scan.n_bad > len(scan.messages) else []
    return notes
