"""Reviews, as a file's rows tell them; and a first look at all of them, before anything expensive is done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from absa_plugin.rating.dates import period_of
from absa_plugin.rating.files import BadRow, FileRow, ReviewFile
from absa_plugin.rating.settings import Columns
from mtl_core.errors import MtlError

ALL = "all reviews"
"""What is rated if there is no column that says what."""
TOLD = 20
"""Bad rows that are told one by one."""


@dataclass(frozen=True)
class Review:
    """One review.

    Attributes:
        text: What was written; may be empty.
        product: What it is about.
        period: When it was written; None if that is not known.
        place: Where it stands, for messages: `reviews.csv:17`.
        where: The same beside quotes: `line 17`.
    """

    text: str
    product: str = ALL
    period: str | None = None
    place: str = ""
    where: str = ""


def read_reviews(file: ReviewFile, columns: Columns) -> Iterator[Review | BadRow]:
    """Make reviews of a file's rows.

    Raises:
        MtlError: If the file cannot be read, or lacks a column.
    """
    for row in file.rows():
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield _review(row, columns)
        except MtlError as error:
            yield BadRow(row.place, str(error))


def good_reviews(file: ReviewFile, columns: Columns) -> Iterator[Review]:
    """The same, bad rows left out."""
    return (found for found in read_reviews(file, columns) if isinstance(found, Review))


def _review(row: FileRow, columns: Columns) -> Review:
    text = row.cells.get(columns.text)
    if text is not None and not isinstance(text, str):
        raise MtlError(f"column '{columns.text}': expected a text, found {str(text)[:40]!r}")
    product = ALL if columns.by is None else _name(row.cells.get(columns.by), columns.by)
    period = None
    if columns.date is not None:
        try:
            period = period_of(row.cells.get(columns.date), columns.period, columns.date_format)
        except MtlError as error:
            raise MtlError(f"column '{columns.date}': {error}") from error
    return Review(text or "", product, period, row.place, row.where)


def _name(cell: object, column: str) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # pandas writes numbers beside empty cells so
    name = " ".join(str(cell).split()) if isinstance(cell, str | int) and not isinstance(cell, bool) else ""
    if not name:
        found = "nothing" if cell is None or cell == "" else repr(str(cell)[:40])
        raise MtlError(f"column '{column}': expected a name or a number, found {found}")
    return name


@dataclass(frozen=True)
class Survey:
    """What a file holds.

    Attributes:
        reviews: How many reviews.
        empty: How many of them have no text.
        undated: How many of them have no date, if dates were asked for.
        bad: How many rows cannot be read.
        told: The first of those, each with its place.
        fingerprint: Of the file's bytes.
    """

    reviews: int
    empty: int
    undated: int
    bad: int
    told: tuple[str, ...]
    fingerprint: str


def survey(file: ReviewFile, columns: Columns, skip_bad_rows: bool) -> Survey:
    """Look at all rows once, which takes seconds where the network takes hours.

    Args:
        file: The file.
        columns: What stands where.
        skip_bad_rows: Whether bad rows are counted instead of refused.

    Raises:
        MtlError: If there is no review in it; at the first bad row, unless they are skipped.
    """
    reviews = empty = undated = bad = 0
    told: list[str] = []
    for found in read_reviews(file, columns):
        if isinstance(found, BadRow):
            if not skip_bad_rows:
                raise MtlError(f"{found}\n(`--bad-rows skip` leaves out rows that cannot be read, and counts them)")
            bad += 1
            if len(told) < TOLD:
                told.append(str(found))
            continue
        reviews += 1
        empty += not found.text.strip()
        undated += columns.date is not None and found.period is None
    if not reviews:
        why = f": none of {bad} rows can be read, the first of them {told[0]}" if bad else ""
        raise MtlError(f"{file.path}: there is no review in it{why}")
    with file.path.open("rb") as data:
        fingerprint = hashlib.file_digest(data, "blake2b").hexdigest()[:32]
    return Survey(reviews, empty, undated, bad, tuple(told), fingerprint)
