"""Conversion of dates to months, quarters or years."""

import re
from datetime import date, datetime

from mtl_core.errors import MtlError
from mtl_ratings.settings import Period

_MONTH = re.compile(r"\d{4}-\d{2}")


def parse_period(cell: object, period: Period, date_format: str | None = None) -> str | None:
    """Return the period of a date, as `2025-03`, `2025-Q1` or `2025`; the names sort chronologically.

    Args:
        cell: A date, or a date as text in ISO 8601 (the time of day is ignored) or in the format `date_format`; None or
            an empty text for no date.
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
