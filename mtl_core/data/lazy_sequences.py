"""Sequences that compute their elements on access."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")


class VirtualSequence(Sequence[Value]):
    """A sequence whose subclass defines the length and the value of a row."""

    @abstractmethod
    def get_row(self, row: int) -> Value:
        """Return the value of a row, counted from 0; the row is within the bounds."""

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        """Return the value of one row, or the values of a slice."""
        rows = range(len(self))
        return [self.get_row(row) for row in rows[index]] if isinstance(index, slice) else self.get_row(rows[index])


class RowSubset(VirtualSequence[Value]):
    """A view of some rows of a column, without a copy.

    Args:
        column: The column.
        rows: `(n,)`, int64: the indices of its rows.
    """

    def __init__(self, column: Sequence[Value], rows: NDArray[np.int64]) -> None:
        self._column = column
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def get_row(self, row: int) -> Value:
        """Return the value of a row."""
        return self._column[int(self._rows[row])]

    def __iter__(self) -> Iterator[Value]:
        return (self._column[row] for row in self._rows.tolist())


CHUNK_SIZE = 1024
"""Number of inputs that are parsed together during a pass over all inputs."""


class LazySequence(Sequence[Any]):
    """A sequence that computes its elements from stored inputs on every access.

    Args:
        source: The inputs, or another lazy sequence.
        transform: Function from a sequence of source elements to an equally long sequence of results.
    """

    def __init__(self, source: Sequence[Any], transform: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self._source = source
        self._transform = transform

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Compute one element, or the elements of a slice."""
        if isinstance(index, slice):
            return self._transform_rows(list(self._source[index]), range(len(self))[index])
        return self._transform_rows([self._source[index]], range(len(self))[index : index + 1 or None])[0]

    def _transform_rows(self, values: Sequence[Any], rows: range) -> Sequence[Any]:
        """Transform the source elements of some rows."""
        return self._transform(values)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), CHUNK_SIZE):
            yield from self[start : start + CHUNK_SIZE]
