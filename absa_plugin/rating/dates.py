"""Conversion of dates to months, quarters or years."""

import re
from datetime import date, datetime

from absa_plugin.rating.settings import Period
from mtl_core.errors import MtlError

_MONTH = re.compile(r"\d{4}-\d{2}")


def period_of(cell: object, period: Period, written: str | None = None) -> str | None:
    """Return the period of a date, as `2025-03`, `2025-Q1` or `2025`; the names sort chronologically.

    Args:
        cell: A date, or a date as text in ISO 8601 (the time of day is ignored) or in the format `written`; None or
            an empty text for no date.
        period: The period to which the date is truncated.
        written: The format of the date, for `strptime`; None is ISO 8601.

    Raises:
        MtlError: If the cell is not a date.
    """
    if isinstance(cell, str):
        cell = cell.strip()
    if cell is None or cell == "":
        return None
    day = cell if isinstance(cell, date) else _parsed(cell, written)
    if period == "year":
        return f"{day.year:04}"
    if period == "quarter":
        return f"{day.year:04}-Q{(day.month + 2) // 3}"
    return f"{day.year:04}-{day.month:02}"


def _parsed(cell: object, written: str | None) -> date:
    try:
        if isinstance(cell, str) and written is not None:
            return datetime.strptime(cell, written)
        if isinstance(cell, str):
            return datetime.fromisoformat(f"{cell}-01" if _MONTH.fullmatch(cell) else cell)
    except ValueError:
        pass
    expected = f"a date in the format {written}" if written else "a date such as 2025-03-31"
    hint = "" if written else "; --date-format sets another format, such as %d/%m/%Y"
    raise MtlError(f"expected {expected}, found {str(cell)[:40]!r}{hint}")
