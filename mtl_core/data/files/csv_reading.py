"""CSV rows of any cell size, and helpful messages for errors of the csv module."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_CELL_CHARACTERS = 2**24
"""Maximum length of a cell in characters; beyond it, a quotation mark is assumed to be unclosed."""

_ERROR_MESSAGES = {
    "unexpected end of data": "a quotation mark opens a cell that is never closed",
    "expected after": "a quotation mark within a quoted cell must be doubled, and a cell ends with its last one",
    "new-line character": "the line contains a carriage return; lines must end with a line feed",
    "field larger": f"a cell is longer than {MAX_CELL_CHARACTERS:,} characters; is a quotation mark never closed?",
}
"""Mapping from a part of the csv module's message to the message shown."""


def explain_csv_error(error: csv.Error) -> str:
    """Return a helpful message for an error of the csv module."""
    return next((message for csv_message, message in _ERROR_MESSAGES.items() if csv_message in str(error)), str(error))


@contextmanager
def allow_long_cells(max_characters: int = MAX_CELL_CHARACTERS) -> Iterator[None]:
    """Raise the csv module's process-wide limit of 131,072 characters per cell."""
    previous_limit = csv.field_size_limit(max_characters)
    try:
        yield
    finally:
        csv.field_size_limit(previous_limit)


def build_csv_reader(lines: Iterable[str], delimiter: str, quoted: bool) -> Any:
    """Return a strict reader of the csv module.

    Args:
        lines: The lines with their line ends.
        delimiter: The delimiter of cells.
        quoted: Whether quotation marks enclose cells.
    """
    if quoted:
        return csv.reader(lines, delimiter=delimiter, strict=True)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
