"""The progress bar and the table of ratings in the terminal."""

from __future__ import annotations

from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from absa_plugin.rating.origin import Origin
from absa_plugin.rating.ratings import Rating, Ratings
from absa_plugin.rating.shown import MOST, shown_products, stars
from mtl_core.report.wording import NONE, count, counted, shortened


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

    def told(self, done: int) -> None:
        """Update the bar."""
        self._progress.update(self._bar, completed=done)


def print_ratings(console: Console, ratings: Ratings, origin: Origin) -> None:
    """Print the table of ratings, with its notes."""
    if origin.notice:
        console.print(origin.notice, style="bold yellow", highlight=False, markup=False)
    table = Table(title=f"{escape(origin.file)}: ratings from 1 to 5 (reviews that mention it)", box=SIMPLE_HEAD)
    table.add_column(escape(shortened(origin.noun)), no_wrap=True)
    table.add_column("reviews", justify="right")
    for one in ratings.aspects:
        table.add_column(escape(shortened(one.aspect, 16)), justify="right")
    for product in shown_products(ratings):
        cells = [_cell(ratings.ratings[product, one.aspect]) for one in ratings.aspects]
        table.add_row(escape(shortened(product)), count(ratings.products[product]), *cells)
    if len(ratings.products) > 1:
        table.add_section()
        means = [f"{stars(one.mean)} ({count(one.mentions)})" for one in ratings.aspects]
        table.add_row("mean of all", count(ratings.reviews), *means)
    console.print(table)
    for note in _notes(ratings, origin):
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def _cell(one: Rating) -> str:
    return f"{stars(one.rating.value if one.rating else None)} ({count(one.mentions)})"


def _notes(ratings: Ratings, origin: Origin) -> list[str]:
    survey, notes = origin.survey, []
    if any(one.rating is None for one in ratings.rows):
        notes.append(
            f"{NONE}: insufficient evidence, fewer than {counted(ratings.settings.min_mentions, 'review')}"
        )
    if len(ratings.products) > MOST:
        notes.append(f"shown: the {MOST} with the most reviews, of {count(len(ratings.products))}")
    if survey.empty:
        notes.append(f"{counted(survey.empty, 'review')} without text")
    if survey.undated:
        notes.append(f"{counted(survey.undated, 'review')} without a date: rated, but in no period")
    if survey.bad:
        notes.append(
            f"{counted(survey.bad, 'row')} could not be read and {'was' if survey.bad == 1 else 'were'} left out:"
        )
        notes += [f"  {told}" for told in survey.told]
        notes += [f"  and {survey.bad - len(survey.told)} more"] if survey.bad > len(survey.told) else []
    return notes
