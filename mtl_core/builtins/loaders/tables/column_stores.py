"""Growing columns, each in the most compact form that its values allow."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.data.columns import CategoricalColumn, JsonColumn, NumericColumn

if TYPE_CHECKING:
    from mtl_core.data.corpus import Label

MAX_DISTINCT_VALUES = 10_000
"""Number of distinct values above which a column is not stored as codes."""

_encode_json = json.JSONEncoder(ensure_ascii=False).encode

_MAX_EXACT_INTEGER = 2**53
"""Integers up to this are exact in float64."""


class LabelStore(ABC):
    """Base class of growing columns."""

    @abstractmethod
    def add(self, label: Label | None) -> bool:
        """Add a value; return False if this store cannot represent it."""

    @abstractmethod
    def column(self) -> Sequence[Label | None]:
        """Return all values so far."""

    def __iter__(self) -> Iterator[Label | None]:
        return iter(self.column())

    def widen(self) -> LabelStore:
        """Return a more general store with all values so far: for numbers if possible, otherwise for any value."""
        if isinstance(self, CodedStore):
            number_store = NumberStore()
            if all(number_store.add(label) for label in self):
                return number_store
        packed_store = PackedStore()
        for label in self:
            packed_store.add(label)
        return packed_store


class ListStore(LabelStore):
    """Store as a plain list."""

    def __init__(self) -> None:
        self._labels: list[Label | None] = []

    def add(self, label: Label | None) -> bool:
        """Add any value."""
        self._labels.append(label)
        return True

    def column(self) -> list[Label | None]:
        """Return the list."""
        return self._labels


class CodedStore(LabelStore):
    """Store for few distinct values: one code per row."""

    def __init__(self) -> None:
        self._codes = array("H")
        self._values: list[Label | None] = []
        self._code_by_value: dict[object, int] = {}

    def add(self, label: Label | None) -> bool:
        """Add a value; return False if there are more than `MANY` distinct values."""
        # 1, 1.0 and "1" are different labels.
        key = label if label is None or isinstance(label, str) else (repr(label),)
        code = self._code_by_value.get(key)
        if code is None:
            code = len(self._values)
            if code == MAX_DISTINCT_VALUES:
                return False
            self._code_by_value[key] = code
            self._values.append(label)
        self._codes.append(code)
        return True

    def column(self) -> CategoricalColumn[Label | None]:
        """Return the codes in the smallest sufficient integer type."""
        dtype = np.min_scalar_type(max(len(self._values) - 1, 0))
        return CategoricalColumn(self._values, np.asarray(self._codes).astype(dtype))


class NumberStore(LabelStore):
    """Store for numbers of one type."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._type: type[float] | None = None

    def add(self, label: Label | None) -> bool:
        """Add a number; return False if the value is of another type or not exact in float64."""
        if label is None:
            self._numbers.append(float("nan"))
            return True
        if not isinstance(label, int | float) or not isinstance(label, self._type or int | float):
            return False
        if isinstance(label, int) and abs(label) > _MAX_EXACT_INTEGER:
            return False
        self._type = type(label)
        self._numbers.append(label)
        return True

    def column(self) -> NumericColumn:
        """Return the numbers."""
        return NumericColumn(np.asarray(self._numbers), self._type is int)


class PackedStore(LabelStore):
    """Store for any values, concatenated as JSON."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("q")

    def add(self, label: Label | None) -> bool:
        """Add any value."""
        if label is not None:
            self._data += _encode_json(label).encode()
        self._ends.append(len(self._data))
        return True

    def column(self) -> JsonColumn:
        """Return the values."""
        return JsonColumn(self._data, np.asarray(self._ends))
