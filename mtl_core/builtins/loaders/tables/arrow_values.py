"""The values of Arrow arrays as NumPy arrays, without pandas, which `Array.to_numpy` imports: it takes a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow


def read_values(column: pyarrow.Array) -> NDArray[Any]:
    """Return the values of integers or floats, `(rows,)`, without a copy; undefined where a value is null."""
    data_type = np.dtype(column.type.to_pandas_dtype())
    buffer = column.buffers()[1]
    if not len(column) or buffer is None:
        return np.zeros(len(column), dtype=data_type)
    values = np.frombuffer(buffer, dtype=data_type)
    return values[column.offset : column.offset + len(column)]


def read_missing(column: pyarrow.Array) -> NDArray[np.bool_]:
    """Return which values are null, `(rows,)`, bool."""
    if not column.null_count:
        return np.zeros(len(column), dtype=bool)
    validity = np.frombuffer(column.buffers()[0], dtype=np.uint8)
    first_byte = column.offset // 8
    last_byte = (column.offset + len(column) + 7) // 8
    bits = np.unpackbits(validity[first_byte:last_byte], bitorder="little")
    start = column.offset - 8 * first_byte
    missing: NDArray[np.bool_] = bits[start : start + len(column)] == 0
    return missing
