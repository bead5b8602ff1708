"""From a date as it was written to the month, quarter or year that it lies in."""

import re
from datetime import date, datetime

from absa_plugin.rating.settings import Period
from mtl_core.errors import MtlError

_MONTH = re.compile(r"\d{4}-\d{2}")


def period_of(cell: object, period: Period, written: str | None = None) -> str | None:
    """Name the period of a date: `2025-03`, `2025-Q1` or `2025`; names sort as the periods follow each other.

    Args:
        cell: A date, or one as text: ISO 8601 (the time of day is left out), or as `written` says; None or an empty
            text for none.
        period: What it is cut to.
        written: How it is written, for `strptime`.

    Raises:
        MtlError: If it is no date.
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
    expected = f"a date written {written}" if written else "a date such as 2025-03-31"
    hint = "" if written else "; --date-format says how others are written, such as %d/%m/%Y"
    raise MtlError(f"expected {expected}, found {str(cell)[:40]!r}{hint}")
