"""Inputs as readable texts and as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_NUMBERS = 8
"""Number of an array's members that a text contains."""
MAX_DATA_URL = 100
"""Number of characters up to which a data URL is complete."""
MAX_JSON_NUMBERS = 1000
"""Number of members up to which an array is written as JSON."""


def format_input(value: object) -> str:
    """Return an input as a readable text; an empty text if it has none.

    Returns:
        A text as it is, a list of words joined by spaces, a row of cells on one line without missing cells.

    Example:
        >>> format_input({"review": "Lovely soup.", "price": 3.0, "cuisine": None})
        'review: Lovely soup., price: 3'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {format_cell_text(cell)}" for name, cell in value.items() if cell is not None)
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return value if isinstance(value, str) else ""


def format_cell_text(cell: object) -> str:
    """Return a cell as a readable text on one line; an empty text for a missing cell."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.10g}"
    if isinstance(cell, np.ndarray):
        numbers = " ".join(f"{number:.4g}" for number in cell.reshape(-1)[:MAX_NUMBERS])
        return numbers + (" …" if cell.size > MAX_NUMBERS else "")
    if isinstance(cell, list | tuple):
        return " ".join("; ".join(map(str, cell)).split())
    return " ".join(_shorten_data_url(str(cell)).split())


def convert_to_json(cell: object) -> Any:
    """Convert a cell of an input to a value that JSON can represent; large arrays become a text with their shape."""
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    if isinstance(cell, str):
        return _shorten_data_url(cell)
    if isinstance(cell, np.ndarray) and cell.size > MAX_JSON_NUMBERS:
        return f"array of shape {cell.shape}"
    if isinstance(cell, np.ndarray | np.generic):
        return cell.tolist()
    if isinstance(cell, list | tuple):
        return [convert_to_json(member) for member in cell]
    return str(cell)


def _shorten_data_url(text: str) -> str:
    """Return a text; a data URL, which contains a whole file, without its data."""
    return text.partition(",")[0] + ",…" if text.startswith("data:") and len(text) > MAX_DATA_URL else text
