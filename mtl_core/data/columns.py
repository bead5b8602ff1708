"""Columns of many rows in little memory: a sequence like any other, a few bytes a row.

A loader of large files uses them for its `Corpus`; everything downstream reads them as sequences.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.rows import RowByRow
from mtl_core.errors import MtlError

Value = TypeVar("Value", bound=Hashable)

CHUNK = 2**16
"""Rows of a column that are looked at together."""


class DistinctIds(RowByRow[str]):
    """Ids that are known to be distinct within their part, so that nobody has to look again."""


class RowNumbers(DistinctIds):
    """The ids "1", "2", …: distinct by construction, and not held anywhere.

    Args:
        counts: How many. Several counts number the rows of several parts, each from 1.
    """

    def __init__(self, *counts: int) -> None:
        self._counts = counts

    def __len__(self) -> int:
        return sum(self._counts)

    def at(self, row: int) -> str:
        """The id of a row."""
        for count in self._counts:
            if row < count:
                break
            row -= count
        return str(row + 1)


class CodedColumn(Sequence[Value], Generic[Value]):
    """A column of few distinct values: a code a row.

    Args:
        values: The distinct values.
        codes: `(rows,)`, any integer type: the place of each row's value in `values`.
    """

    def __init__(self, values: Sequence[Value], codes: NDArray[Any]) -> None:
        self.values = tuple(values)
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        """The value of a row."""
        if isinstance(index, slice):
            return [self.values[code] for code in self.codes[index]]
        value: Value = self.values[self.codes[index]]
        return value

    def __iter__(self) -> Iterator[Value]:
        return (self.values[code] for code in self.codes)

    def first_rows(self) -> dict[Value, int]:
        """Every value that occurs, with the first row that holds it."""
        found: dict[Value, int] = {}
        for start in range(0, len(self), CHUNK):  # all at once would take sixteen bytes a row
            codes, rows = np.unique(self.codes[start : start + CHUNK], return_index=True)
            for code, row in zip(codes, rows, strict=True):
                found.setdefault(self.values[code], start + int(row))
        return found


class CheckedColumn(RowByRow[Any]):
    """Labels that were checked when the column was made: texts, finite numbers, lists of them, or None."""


class NumberColumn(CheckedColumn):
    """A column of numbers, eight bytes a row.

    Args:
        values: `(rows,)`, float64; NaN where there is none.
        whole: Whether all are whole numbers, and are given as such.
    """

    def __init__(self, values: NDArray[np.float64], whole: bool = False) -> None:
        self.values = values
        self.whole = whole

    def __len__(self) -> int:
        return len(self.values)

    def at(self, row: int) -> float | None:
        """The number of a row."""
        value = float(self.values[row])
        if value != value:
            return None
        return int(value) if self.whole else value


class PackedColumn(CheckedColumn):
    """A column of many distinct values, as JSON in one piece of memory: as many bytes as they have, and eight.

    Args:
        data: The values one after the other; nothing where there is none.
        ends: `(rows,)`: where each row's value ends.
    """

    def __init__(self, data: bytes | bytearray, ends: NDArray[np.int64]) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def at(self, row: int) -> Any:
        """The value of a row."""
        text = self._data[self._ends[row - 1] if row else 0 : self._ends[row]]
        value = json.loads(text) if text else None
        return tuple(value) if isinstance(value, list) else value


def distinct(column: Sequence[Any]) -> dict[Any, int]:
    """Give every distinct value of a column with the first row that holds it; lists count by their members.

    Raises:
        MtlError: If a value is of a type that no label has (a dict, an array).
    """
    if isinstance(column, CodedColumn):
        return column.first_rows()
    found: dict[Any, int] = {}
    for row, value in enumerate(column):
        key = tuple(value) if isinstance(value, list) else value
        try:
            found.setdefault(key, row)
        except TypeError as error:
            raise MtlError(
                f"example {row + 1} holds {value!r}, expected a text, a number or a list of them"
            ) from error
    return found


def rows_with(column: Sequence[Any], value: object) -> NDArray[np.int64]:
    """Indices of the rows that hold a value."""
    if isinstance(column, CodedColumn):
        if value not in column.values:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(column.codes == column.values.index(value))
    return np.array([row for row, found in enumerate(column) if found == value], dtype=np.int64)
