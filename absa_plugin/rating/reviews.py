"""Reviews from the rows of a file, and a validation pass over all rows before the expensive prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from absa_plugin.rating.dates import period_of
from absa_plugin.rating.files import BadRow, FileRow, ReviewFile
from absa_plugin.rating.settings import Columns
from mtl_core.errors import MtlError

ALL = "all reviews"
"""The name of the product if there is no column with product names."""
TOLD = 20
"""Maximum number of bad rows that are reported individually."""


@dataclass(frozen=True)
class Review:
    """One review.

    Attributes:
        text: The text; may be empty.
        product: The name of the product.
        period: The period of its date; None if there is no date.
        place: Its location, for messages: `reviews.csv:17`.
        where: Its location within the file, for quotes: `line 17`.
    """

    text: str
    product: str = ALL
    period: str | None = None
    place: str = ""
    where: str = ""


def read_reviews(file: ReviewFile, columns: Columns) -> Iterator[Review | BadRow]:
    """Convert the rows of a file to reviews.

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
    """Convert the rows of a file to reviews, without bad rows."""
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
        cell = int(cell)  # pandas writes integers as floats in columns with empty cells
    name = " ".join(str(cell).split()) if isinstance(cell, str | int) and not isinstance(cell, bool) else ""
    if not name:
        found = "nothing" if cell is None or cell == "" else repr(str(cell)[:40])
        raise MtlError(f"column '{column}': expected a name or a number, found {found}")
    return name


@dataclass(frozen=True)
class Survey:
    """The result of the validation pass over a file.

    Attributes:
        reviews: Number of reviews.
        empty: Number of reviews without text.
        undated: Number of reviews without a date, if there is a column of dates.
        bad: Number of rows that cannot be read.
        told: Messages of the first of these rows, with their locations.
        fingerprint: Hash of the bytes of the file.
    """

    reviews: int
    empty: int
    undated: int
    bad: int
    told: tuple[str, ...]
    fingerprint: str


def survey(file: ReviewFile, columns: Columns, skip_bad_rows: bool) -> Survey:
    """Validate all rows once, which takes seconds where the network takes hours.

    Args:
        file: The file.
        columns: The names of the columns.
        skip_bad_rows: Whether bad rows are skipped and counted; otherwise they are errors.

    Raises:
        MtlError: If the file contains no review; at the first bad row, unless bad rows are skipped.
    """
    reviews = empty = undated = bad = 0
    told: list[str] = []
    for found in read_reviews(file, columns):
        if isinstance(found, BadRow):
            if not skip_bad_rows:
                raise MtlError(f"{found}\n(`--bad-rows skip` skips and counts rows that cannot be read)")
            bad += 1
            if len(told) < TOLD:
                told.append(str(found))
            continue
        reviews += 1
        empty += not found.text.strip()
        undated += columns.date is not None and found.period is None
    if not reviews:
        why = f": none of {bad} rows can be read; the first error: {told[0]}" if bad else ""
        raise MtlError(f"{file.path}: contains no review{why}")
    with file.path.open("rb") as data:
        fingerprint = hashlib.file_digest(data, "blake2b").hexdigest()[:32]
    return Survey(reviews, empty, undated, bad, tuple(told), fingerprint)
