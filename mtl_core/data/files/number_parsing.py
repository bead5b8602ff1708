"""Parsing of many cells as numbers at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.files.cells import FLOAT32_MAX


def parse_numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """Parse cells as numbers within the range of float32, with the results of `convert_to_number` for each.

    Args:
        cells: The cells: texts only, numbers only, or lists of these of equal length.

    Returns:
        `(cells,)`, or `(cells, length)` for lists; None if a cell is anything else. `convert_to_number` then finds
        the cell to report.
    """
    types = set(map(type, cells))
    if types == {list}:
        length = len(cells[0])
        if set(map(len, cells)) != {length}:
            return None
        members = parse_numbers(list(chain.from_iterable(cells)))
        return None if members is None or members.ndim > 1 else members.reshape(len(cells), length)
    if types == {str} and "_" in "\n".join(cells):  # which `float` accepts
        return None
    if not (types == {str} or types <= {int, float}):
        return None
    try:
        numbers = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
    except (ValueError, OverflowError):
        return None
    return numbers if are_float32_numbers(numbers) else None


def are_float32_numbers(numbers: NDArray[Any]) -> bool:
    """Return whether all numbers are finite and within the range of float32."""
    if not np.isfinite(numbers).all():
        return False
    return not numbers.size or float(np.abs(numbers).max()) <= FLOAT32_MAX
