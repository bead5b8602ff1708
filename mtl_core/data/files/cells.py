"""The cells of a row, and their parsing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mtl_core.errors import MtlError, did_you_mean, join_names

Cells = Mapping[str, object]
"""A row's cells by column. An absent column or None is an empty cell."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""The largest float32 number."""


def require_cell(cells: Cells, name: str) -> object:
    """Return a required cell.

    Raises:
        MtlError: If the cell is missing or empty.
    """
    cell = cells.get(name)
    if cell is None:
        if name in cells:
            raise MtlError(f"column '{name}': the cell is empty")
        raise MtlError(f"no column '{name}'{did_you_mean(name, cells)} (columns: {join_names(cells)})")
    return cell


def parse_number(cell: object, name: str) -> float:
    """Parse a number within the range of float32.

    Raises:
        MtlError: If the cell is not such a number; the message names the column.
    """
    try:
        return convert_to_number(cell)
    except MtlError as error:
        raise MtlError(f"column '{name}': {error}") from error


def convert_to_number(cell: object) -> float:
    """Convert a cell to a number within the range of float32.

    Raises:
        MtlError: If the cell is not such a number.
    """
    try:
        # Reject underscores: Python's float() accepts 1_000, which is not a number in a table.
        number = float(cell) if isinstance(cell, int | float) or (isinstance(cell, str) and "_" not in cell) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or isinstance(cell, bool) or not math.isfinite(number):
        raise MtlError(f"expected a number, found {format_cell(cell)}")
    if abs(number) > FLOAT32_MAX:
        raise MtlError(f"the number {number:g} is too large")
    return number


def split_list(text: str, separator: str) -> list[Any]:
    """Split a cell into stripped members; an empty cell has none."""
    if separator == " ":
        return text.split()
    text = text.strip()
    return [member.strip() for member in text.split(separator)] if text else []


def format_cell(cell: object) -> str:
    """Return a cell for a message, truncated."""
    if cell is None:
        return "nothing"
    if isinstance(cell, dict):
        return "an object"
    try:
        text = "an empty text" if cell == "" else repr(cell)
    except RecursionError:
        return "lists within lists"
    return text if len(text) <= 60 else f"{text[:60]}…"
