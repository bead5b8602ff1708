"""Conversion of the rows of a file to reviews."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from mtl_core import MtlError
from mtl_ratings.readers.review_file import BadRow, FileRow, ReviewFile
from mtl_ratings.settings import Columns, Period

ALL_PRODUCTS = "all reviews"
"""The name of the product if there is no column with product names."""
_MONTH = re.compile(r"\d{4}-\d{2}")


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


def parse_period(cell: object, period: Period, date_format: str | None = None) -> str | None:
    """Return the period of a date, as `2025-03`, `2025-Q1` or `2025`; the names sort chronologically.

    Args:
        cell: A date, or a date as text in ISO 8601 (the time of day is ignored) or in the format `date_format`;
            None or an empty text for no date.
        period: The period to which the date is truncated.
        date_format: The format of the date, for `strptime`; None is ISO 8601.

    Raises:
        MtlError: If the cell is not a date.
    """
    if isinstance(cell, str):
        cell = cell.strip()
    if cell is None or cell == "":
        return None
    day = cell if isinstance(cell, date) else _parse_date(cell, date_format)
    if period == "year":
        return f"{day.year:04}"
    if period == "quarter":
        return f"{day.year:04}-Q{(day.month + 2) // 3}"
    return f"{day.year:04}-{day.month:02}"


def _parse_date(cell: object, date_format: str | None) -> date:
    try:
        if isinstance(cell, str) and date_format is not None:
            return datetime.strptime(cell, date_format)
        if isinstance(cell, str):
            return datetime.fromisoformat(f"{cell}-01" if _MONTH.fullmatch(cell) else cell)
    except ValueError:
        pass
    expected = f"a date in the format {date_format}" if date_format else "a date such as 2025-03-31"
    hint = "" if date_format else "; --date-format sets another format, such as %d/%m/%Y"
    raise MtlError(f"expected {expected}, found {str(cell)[:40]!r}{hint}")
