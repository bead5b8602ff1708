"""Base class of sequences that compute the value of a row on access."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

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
