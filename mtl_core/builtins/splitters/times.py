"""Times from the cells of a column of metadata."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.splitters.metadata_cells import is_missing
from mtl_core.data.files.cells import format_cell
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.errors import MtlError

NUMBER, DATE, ZONED_DATE = "a number", "an ISO date without a time zone", "an ISO date with a time zone"
_EPOCH = datetime(1970, 1, 1)


def parse_times(metadata: ExampleMetadata, name: str) -> NDArray[np.float64]:
    """Return the time of each example, `(examples,)`, float64; NaN if the cell is missing.

    A column holds numbers, or dates and times (`2024-01-31`, `2024-01-31T12:30:00`), all with or all without a time
    zone. The order of the results is that of the times; dates become microseconds since 1970. Numbers beyond 2^53
    that float64 cannot distinguish are equal times.

    Raises:
        MtlError: If there is no such column, or a cell is neither a number nor a date, or of another form than the
            first one.
    """
    times = np.full(len(metadata), np.nan)
    parsed_texts: dict[str, tuple[str, float]] = {}
    first: tuple[str, str] | None = None
    for row, cell in enumerate(metadata.get_column(name)):
        if is_missing(cell):
            continue
        parsed = parsed_texts.get(cell) if isinstance(cell, str) else None
        if parsed is None:
            parsed = _parse_time(cell)
            if parsed is None:
                raise MtlError(
                    f"{metadata.locations[row]}: column '{name}': expected a number or an ISO date (2024-01-31, "
                    f"2024-01-31T12:30:00), found {format_cell(cell)}"
                )
            if isinstance(cell, str):
                parsed_texts[cell] = parsed
        form, times[row] = parsed
        first = first or (form, metadata.locations[row])
        if form != first[0]:
            raise MtlError(
                f"{metadata.locations[row]}: column '{name}': expected {first[0]} as in {first[1]}, "
                f"found {format_cell(cell)}"
            )
    return times


def _parse_time(cell: object) -> tuple[str, float] | None:
    """Return the form and the value of a cell; None if it is neither a number nor a date."""
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]").item()
    elif isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, int | float | str) and not isinstance(cell, bool):
        number = _parse_number(cell)
        if number is not None:
            return NUMBER, number
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime(cell.year, cell.month, cell.day)
    if not isinstance(cell, datetime):
        return None
    is_zoned = cell.utcoffset() is not None
    time = cell.astimezone(UTC).replace(tzinfo=None) if is_zoned else cell.replace(tzinfo=None)
    return ZONED_DATE if is_zoned else DATE, float((time - _EPOCH) // timedelta(microseconds=1))


def _parse_number(cell: float | str) -> float | None:
    if isinstance(cell, str) and "_" in cell:  # float() accepts 1_000, which is no number in a table
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
