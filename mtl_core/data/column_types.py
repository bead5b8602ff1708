"""The types of input columns: their names, and what a cell of each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.files.cells import FLOAT32_MAX, convert_to_number, format_cell, split_list
from mtl_core.data.sparse_row import SparseRow, parse_sparse_row
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.column_types import COLUMN_TYPES

__all__ = ["COLUMN_TYPES", "parse_cell", "parse_input_cell", "parse_input_row", "validate_input_types"]

CellParser = Callable[[object, str | None], object]
"""Function from a cell that is not missing, and a separator, to the cell of an input."""


def validate_input_types(input_types: Mapping[str, str]) -> None:
    """Require that every column has a type that exists.

    Args:
        input_types: Column to type.

    Raises:
        MtlError: For an unknown type; the message contains the nearest name.
    """
    for name, column_type in input_types.items():
        if column_type not in COLUMN_TYPES:
            raise MtlError(
                f"the input column '{name}' has the unknown type '{column_type}'"
                f"{did_you_mean(column_type, COLUMN_TYPES)} (column types: {join_names(COLUMN_TYPES)})"
            )


def parse_input_row(
    row: Mapping[str, object], input_types: Mapping[str, str], separators: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return the input of a row: a mapping of input column to cell, None where the cell is missing.

    Args:
        row: Cells by column: a row of a CSV file, a JSON object, a row of a DataFrame. Other columns are ignored.
        input_types: Input column to type.
        separators: Column to the separator of members in cells that are texts.

    Raises:
        MtlError: If a column is missing from the row, or a cell does not fit its column's type. The message names
            the column, not the row.

    Example:
        >>> parse_input_row({"review": " Fine. ", "price": "3", "stars": 4}, {"review": "text", "price": "number"})
        {'review': 'Fine.', 'price': 3.0}
    """
    cells: dict[str, object] = {}
    for name, column_type in input_types.items():
        if name not in row:
            columns = [str(column) for column in row]
            raise MtlError(f"no column '{name}'{did_you_mean(name, columns)} (columns: {join_names(columns)})")
        cells[name] = parse_input_cell(row[name], name, column_type, (separators or {}).get(name))
    return cells


def parse_input_cell(cell: object, name: str, column_type: str, separator: str | None = None) -> Any:
    """Return a cell of a named column as the input of an encoder; arguments and result as for `parse_cell`.

    Raises:
        MtlError: If the cell does not fit the type; the message names the column.
    """
    try:
        return parse_cell(cell, column_type, separator)
    except MtlError as error:
        raise MtlError(f"column '{name}': {error}") from error


def parse_cell(cell: object, column_type: str, separator: str | None = None) -> Any:
    """Return a cell as the input of an encoder.

    Args:
        cell: None, an empty text, NaN, NaT and `pandas.NA` are missing cells.
        column_type: A key of `COLUMN_TYPES`.
        separator: The separator of members if the cell is a text: of categories, and of the numbers of an array.

    Returns:
        None for a missing cell; a text (stripped) for `text`, `category` and `image` (a path); a float for `number`;
        a tuple of texts for `multi-category`; an ISO 8601 text for `date`; an array of float32 for `array`; a
        `SparseRow` for `sparse`.

    Raises:
        MtlError: If the cell does not fit the type.
    """
    if is_missing_cell(cell):
        return None
    return _PARSERS[column_type](cell, separator)


def is_missing_cell(cell: object) -> bool:
    """Return whether a cell is missing: None, a text without a character, NaN, NaT or `pandas.NA`."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    # pandas is not imported for this: NaT is a datetime that differs from itself, NA cannot be compared.
    return type(cell).__name__ in {"NaTType", "NAType"} or (isinstance(cell, np.datetime64) and bool(np.isnat(cell)))


def _parse_text(cell: object, separator: str | None) -> str:
    if not isinstance(cell, str):
        raise MtlError(f"expected a text, found {format_cell(cell)}")
    return cell.strip()


def _parse_number(cell: object, separator: str | None) -> float:
    return convert_to_number(cell.item() if isinstance(cell, np.generic) else cell)


def _parse_category(cell: object, separator: str | None) -> str:
    value = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of whole numbers with missing cells contains floats in pandas
    if not isinstance(value, str | int | float):
        raise MtlError(f"expected a category (a text or a number), found {format_cell(cell)}")
    return str(value).strip()


def _parse_categories(cell: object, separator: str | None) -> tuple[str, ...]:
    if isinstance(cell, str):
        if separator is None:
            raise MtlError(
                f"expected a list of categories, found {format_cell(cell)}; `lists: {{COLUMN: SEPARATOR}}` splits texts"
            )
        members: object = [member for member in split_list(cell, separator) if member]
    else:
        members = cell.tolist() if isinstance(cell, np.ndarray) else cell
    if not isinstance(members, list | tuple | set | frozenset):
        raise MtlError(f"expected a list of categories, found {format_cell(cell)}")
    categories = [_parse_category(member, None) for member in members if not is_missing_cell(member)]
    return tuple(sorted(categories) if isinstance(members, set | frozenset) else categories)


def _parse_date(cell: object, separator: str | None) -> str:
    value = cell
    if isinstance(cell, np.datetime64):
        value = cell.astype("datetime64[s]").item()
    if isinstance(cell, str):
        text = cell.strip()
        try:
            value = date.fromisoformat(text) if len(text) == len("2024-05-31") else datetime.fromisoformat(text)
        except ValueError as error:
            raise MtlError(
                f"expected a date in ISO 8601 format, such as 2024-05-31 or 2024-05-31T18:30, found {format_cell(cell)}"
            ) from error
    if not isinstance(value, date):
        raise MtlError(f"expected a date, found {format_cell(cell)}")
    return value.isoformat()


def _parse_image(cell: object, separator: str | None) -> object:
    if isinstance(cell, Path):
        return str(cell)
    return cell.strip() if isinstance(cell, str) else cell  # the encoder reads images in memory, too


def _parse_array(cell: object, separator: str | None) -> NDArray[np.float32]:
    value = split_list(cell, separator or " ") if isinstance(cell, str) else cell
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MtlError(f"expected numbers, found {format_cell(cell)}") from error
    if not np.isfinite(numbers).all():
        raise MtlError("found a number that is not finite")
    if numbers.size and np.abs(numbers).max() > FLOAT32_MAX:
        raise MtlError(f"the number {np.abs(numbers).max():g} is too large")
    return numbers.astype(np.float32)


def _parse_sparse(cell: object, separator: str | None) -> SparseRow:
    return parse_sparse_row(cell)


_PARSERS: Mapping[str, CellParser] = {
    "text": _parse_text,
    "number": _parse_number,
    "category": _parse_category,
    "multi-category": _parse_categories,
    "date": _parse_date,
    "image": _parse_image,
    "array": _parse_array,
    "sparse": _parse_sparse,
}
