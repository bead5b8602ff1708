"""The cells of metadata, as splitters read them."""

from datetime import datetime

import numpy as np


def is_missing(cell: object) -> bool:
    """Return whether a cell is None, NaN, no time (`NaT`) or a blank text."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, float | datetime | np.generic) and bool(cell != cell))
