"""Columns that grow value by value, each in the least memory that its values allow."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.data.columns import CodedColumn, NumberColumn, PackedColumn

if TYPE_CHECKING:
    from mtl_core.data.corpus import Label

MANY = 10_000
"""Distinct values above which a column is not held as codes."""
_json = json.JSONEncoder(ensure_ascii=False).encode
_EXACT = 2**53
"""Whole numbers up to here are exact in 64 bits of floating point."""


class LabelStore(ABC):
    """A column in the making."""

    @abstractmethod
    def add(self, label: Label | None) -> bool:
        """Take a value, or give False if this store cannot hold it."""

    @abstractmethod
    def column(self) -> Sequence[Label | None]:
        """All values so far."""

    def __iter__(self) -> Iterator[Label | None]:
        return iter(self.column())

    def wider(self) -> LabelStore:
        """A store that holds more, with all values so far: numbers where all are numbers, anything otherwise."""
        if isinstance(self, CodedStore):
            numbers = NumberStore()
            if all(numbers.add(label) for label in self):
                return numbers
        packed = PackedStore()
        for label in self:
            packed.add(label)
        return packed


class ListStore(LabelStore):
    """A plain list."""

    def __init__(self) -> None:
        self._labels: list[Label | None] = []

    def add(self, label: Label | None) -> bool:
        """Take any value."""
        self._labels.append(label)
        return True

    def column(self) -> list[Label | None]:
        """The list."""
        return self._labels


class CodedStore(LabelStore):
    """Few distinct values: a code a row."""

    def __init__(self) -> None:
        self._codes = array("H")
        self._values: list[Label | None] = []
        self._places: dict[object, int] = {}

    def add(self, label: Label | None) -> bool:
        """Take a value, unless it is one more than many."""
        # 1, 1.0 and "1" are different labels.
        key = label if label is None or isinstance(label, str) else (repr(label),)
        code = self._places.get(key)
        if code is None:
            code = len(self._values)
            if code == MANY:
                return False
            self._places[key] = code
            self._values.append(label)
        self._codes.append(code)
        return True

    def column(self) -> CodedColumn[Label | None]:
        """Codes of the smallest integer type that holds them."""
        kind = np.min_scalar_type(max(len(self._values) - 1, 0))
        return CodedColumn(self._values, np.asarray(self._codes).astype(kind))


class NumberStore(LabelStore):
    """Numbers of one type, and nothing else."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._type: type[float] | None = None

    def add(self, label: Label | None) -> bool:
        """Take a number of the same type as the others."""
        if label is None:
            self._numbers.append(float("nan"))
            return True
        if not isinstance(label, int | float) or not isinstance(label, self._type or int | float):
            return False
        if isinstance(label, int) and abs(label) > _EXACT:
            return False
        self._type = type(label)
        self._numbers.append(label)
        return True

    def column(self) -> NumberColumn:
        """The numbers."""
        return NumberColumn(np.asarray(self._numbers), self._type is int)


class PackedStore(LabelStore):
    """Any values, one after the other, as JSON."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("q")

    def add(self, label: Label | None) -> bool:
        """Take any value."""
        if label is not None:
            self._data += _json(label).encode()
        self._ends.append(len(self._data))
        return True

    def column(self) -> PackedColumn:
        """The values."""
        return PackedColumn(self._data, np.asarray(self._ends))
