"""Arrays of equal width, one per example, in one table."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.lazy_sequences import VirtualSequence

Row = NDArray[np.float32]


class ArrayRows(VirtualSequence[Row]):
    """A sequence of arrays that are the rows of one table: 4 bytes per number.

    Args:
        table: `(rows, width)`, float32.

    Example:
        >>> rows = ArrayRows(np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32))
        >>> rows[1].tolist(), rows.select(np.array([2, 0])).table.tolist()
        ([3.0, 4.0], [[5.0, 6.0], [1.0, 2.0]])
    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "ArrayRows": ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return one row as a view of the table, or a copy of several rows."""
        return ArrayRows(self.table[index].copy()) if isinstance(index, slice) else self.table[index]

    def get_row(self, row: int) -> Row:
        """Return a row as a view of the table."""
        values: Row = self.table[row]
        return values

    def __iter__(self) -> Iterator[Row]:
        return iter(self.table)

    def select(self, rows: NDArray[np.int64]) -> "ArrayRows":
        """Return a copy of some rows.

        Args:
            rows: `(n,)`, int64: the indices of the rows.
        """
        return ArrayRows(self.table[rows])


def stack_rows(rows: Sequence[Row]) -> Sequence[Row]:
    """Return arrays of equal width as one table; other arrays unchanged.

    Args:
        rows: Arrays `(width,)`, float32.
    """
    if isinstance(rows, ArrayRows) or not len(rows) or len({len(row) for row in rows}) > 1:
        return rows
    return ArrayRows(np.stack(rows))
