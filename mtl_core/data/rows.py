"""Sequences that hold no values, but make a row's when it is asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

Value = TypeVar("Value")


class RowByRow(Sequence[Value]):
    """A sequence of which a subclass says how long it is and what stands in a row."""

    @abstractmethod
    def at(self, row: int) -> Value:
        """The value of a row, counted from 0; it exists."""

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        """The value of a row, or those of several."""
        rows = range(len(self))
        return [self.at(row) for row in rows[index]] if isinstance(index, slice) else self.at(rows[index])
