"""Memory-efficient columns: sequences that need a few bytes per row.

A loader of large files uses them for its `Corpus`; all other code reads them as ordinary sequences.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.lazy_sequences import VirtualSequence
from mtl_core.errors import MtlError

Value = TypeVar("Value", bound=Hashable)

CHUNK_SIZE = 2**16
"""Number of rows that are processed at a time."""


class UniqueIds(VirtualSequence[str]):
    """Ids that are unique within their split by construction, so that `Corpus` does not check them."""


class RowNumbers(UniqueIds):
    """The ids "1", "2", …, computed on access.

    Args:
        counts: The number of rows of each split; the rows of every split are numbered from 1.
    """

    def __init__(self, *counts: int) -> None:
        self._counts = counts

    def __len__(self) -> int:
        return sum(self._counts)

    def get_row(self, row: int) -> str:
        """Return the id of a row."""
        for count in self._counts:
            if row < count:
                break
            row -= count
        return str(row + 1)


class CategoricalColumn(Sequence[Value], Generic[Value]):
    """A categorical column with few distinct values: one code per row.

    Args:
        values: The distinct values.
        codes: `(rows,)`, any integer type: the index of each row's value in `values`.
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
        """Return the value of one row, or the values of a slice."""
        if isinstance(index, slice):
            return [self.values[code] for code in self.codes[index].tolist()]
        value: Value = self.values[self.codes[index]]
        return value

    def __iter__(self) -> Iterator[Value]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        """Return whether a column or a list has the same values."""
        return _has_same_values(self, other)

    __hash__ = None  # type: ignore[assignment]

    def find_first_rows(self) -> dict[Value, int]:
        """Return every value that occurs, mapped to the first row that contains it, in the order of these rows."""
        rows_by_value: dict[Value, int] = {}
        for start in range(0, len(self), CHUNK_SIZE):  # all rows at once would need 16 bytes per row
            codes, rows = np.unique(self.codes[start : start + CHUNK_SIZE], return_index=True)
            for index in np.argsort(rows):
                rows_by_value.setdefault(self.values[codes[index]], start + int(rows[index]))
        return rows_by_value


class ValidatedColumn(VirtualSequence[Any]):
    """Labels that the loader has already validated: texts, finite numbers, lists of these, or None."""


class NumericColumn(ValidatedColumn):
    """A column of numbers, 8 bytes per row.

    Args:
        values: `(rows,)`, float64; NaN for a missing number.
        is_integer: Whether all numbers are integers; they are then returned as `int`.
    """

    def __init__(self, values: NDArray[np.float64], is_integer: bool = False) -> None:
        self.values = values
        self.is_integer = is_integer

    def __len__(self) -> int:
        return len(self.values)

    def get_row(self, row: int) -> float | None:
        """Return the number of a row."""
        value = float(self.values[row])
        if value != value:
            return None
        return int(value) if self.is_integer else value

    def __eq__(self, other: object) -> bool:
        """Return whether a column or a list has the same numbers."""
        return _has_same_values(self, other)

    __hash__ = None  # type: ignore[assignment]


class JsonColumn(ValidatedColumn):
    """A column of many distinct values as concatenated JSON: the bytes of the value and 8 more per row.

    Args:
        data: The concatenated values; no bytes for a missing value.
        ends: `(rows,)`, int64: the end offset of each row's value.
    """

    def __init__(self, data: bytes | bytearray, ends: NDArray[np.int64]) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def get_row(self, row: int) -> Any:
        """Return the value of a row."""
        text = self._data[self._ends[row - 1] if row else 0 : self._ends[row]]
        value = json.loads(text) if text else None
        return tuple(value) if isinstance(value, list) else value


def _has_same_values(column: Sequence[Any], other: object) -> bool:
    if not isinstance(other, Sequence) or isinstance(other, str) or len(other) != len(column):
        return False
    return all(value == other_value for value, other_value in zip(column, other, strict=True))


def find_first_rows(column: Sequence[Any]) -> dict[Any, int]:
    """Return every distinct value of a column, mapped to the first row that contains it; lists become tuples.

    Raises:
        MtlError: If the type of a value is not a label type (a dict, an array).
    """
    if isinstance(column, CategoricalColumn):
        return column.find_first_rows()
    first_rows: dict[Any, int] = {}
    for row, value in enumerate(column):
        key = tuple(value) if isinstance(value, list) else value
        try:
            first_rows.setdefault(key, row)
        except TypeError as error:
            raise MtlError(f"example {row + 1} holds {value!r}, expected a text, a number or a list of them") from error
    return first_rows


def find_rows(column: Sequence[Any], value: object) -> NDArray[np.int64]:
    """Return the indices of the rows that contain a value, `(matches,)`, int64."""
    if isinstance(column, CategoricalColumn):
        if value not in column.values:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(column.codes == column.values.index(value))
    matches = np.fromiter((item == value for item in column), dtype=bool, count=len(column))
    return np.flatnonzero(matches)
