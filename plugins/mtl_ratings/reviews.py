"""Reviews from the rows of a file, and a validation pass over all rows before the expensive prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from mtl_core.errors import MtlError
from mtl_ratings.dates import parse_period
from mtl_ratings.review_file import BadRow, FileRow, ReviewFile
from mtl_ratings.settings import Columns

ALL_PRODUCTS = "all reviews"
"""The name of the product if there is no column with product names."""
MAX_REPORTED_ROWS = 20
"""Maximum number of bad rows that are reported individually."""


@dataclass(frozen=True)
class Review:
    """One review.

    Attributes:
        text: The text; may be empty.
        product: The name of the product.
        period: The period of its date; None if there is no date.
        location: Its location, for messages: `reviews.csv:17`.
        short_location: Its location within the file, for quotes: `line 17`.
    """

    text: str
    product: str = ALL_PRODUCTS
    period: str | None = None
    location: str = ""
    short_location: str = ""


def read_reviews(file: ReviewFile, columns: Columns) -> Iterator[Review | BadRow]:
    """Convert the rows of a file to reviews.

    Raises:
        MtlError: If the file cannot be read, or lacks a column.
    """
    for row in file.read_rows():
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield _parse_review(row, columns)
        except MtlError as error:
            yield BadRow(row.location, str(error))


def read_valid_reviews(file: ReviewFile, columns: Columns) -> Iterator[Review]:
    """Convert the rows of a file to reviews, without bad rows."""
    return (row for row in read_reviews(file, columns) if isinstance(row, Review))


def _parse_review(row: FileRow, columns: Columns) -> Review:
    text = row.cells.get(columns.text)
    if text is not None and not isinstance(text, str):
        raise MtlError(f"column '{columns.text}': expected a text, found {str(text)[:40]!r}")
    product = ALL_PRODUCTS if columns.by is None else _parse_name(row.cells.get(columns.by), columns.by)
    period = None
    if columns.date is not None:
        try:
            period = parse_period(row.cells.get(columns.date), columns.period, columns.date_format)
        except MtlError as error:
            raise MtlError(f"column '{columns.date}': {error}") from error
    return Review(text or "", product, period, row.location, row.short_location)


def _parse_name(cell: object, column: str) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # pandas writes integers as floats in columns with empty cells
    name = " ".join(str(cell).split()) if isinstance(cell, str | int) and not isinstance(cell, bool) else ""
    if not name:
        actual = "nothing" if cell is None or cell == "" else repr(str(cell)[:40])
        raise MtlError(f"column '{column}': expected a name or a number, found {actual}")
    return name


@dataclass(frozen=True)
class ReviewScan:
    """The result of the validation pass over a file.

    Attributes:
        n_reviews: Number of reviews.
        n_empty: Number of reviews without text.
        n_undated: Number of reviews without a date, if there is a column of dates.
        n_bad: Number of rows that cannot be read.
        messages: Messages of the first of these rows, with their locations.
        fingerprint: Hash of the bytes of the file.
    """

    n_reviews: int
    n_empty: int
    n_undated: int
    n_bad: int
    messages: tuple[str, ...]
    fingerprint: str


def scan_reviews(file: ReviewFile, columns: Columns, skip_bad_rows: bool) -> ReviewScan:
    """Validate all rows once, which takes seconds where the network takes hours.

    Args:
        file: The file.
        columns: The names of the columns.
        skip_bad_rows: Whether bad rows are skipped and counted; otherwise they are errors.

    Raises:
        MtlError: If the file contains no review; at the first bad row, unless bad rows are skipped.
    """
    n_reviews = n_empty = n_undated = n_bad = 0
    messages: list[str] = []
    for row in read_reviews(file, columns):
        if isinstance(row, BadRow):
            if not skip_bad_rows:
                raise MtlError(f"{row}\n(`--bad-rows skip` skips and counts rows that cannot be read)")
            n_bad += 1
            if len(messages) < MAX_REPORTED_ROWS:
                messages.append(str(row))
            continue
        n_reviews += 1
        n_empty += not row.text.strip()
        n_undated += columns.date is not None and row.period is None
    if not n_reviews:
        reason = f": none of {n_bad} rows can be read; the first error: {messages[0]}" if n_bad else ""
        raise MtlError(f"{file.path}: contains no review{reason}")
    with file.path.open("rb") as data:
        fingerprint = hashlib.file_digest(data, "blake2b").hexdigest()[:32]
    return ReviewScan(n_reviews, n_empty, n_undated, n_bad, tuple(messages), fingerprint)
