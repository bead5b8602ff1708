"""Growing columns, each in the most compact form that its values allow."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

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

    def add_categorical(self, column: CategoricalColumn[Any]) -> bool:
        """Add values given as codes; return False, without adding any, if this store cannot represent one."""
        for label in column:
            self.add(label)
        return True

    def add_numbers(self, column: NumericColumn) -> bool:
        """Add numbers; return False, without adding any, if this store cannot represent them."""
        for label in column:
            self.add(label)
        return True

    @abstractmethod
    def column(self) -> Sequence[Label | None]:
        """Return all values so far."""

    def __iter__(self) -> Iterator[Label | None]:
        return iter(self.column())

    def widen(self) -> LabelStore:
        """Return a more general store with all values so far."""
        raise NotImplementedError  # a store that represents any value is never widened


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
    """Store for few distinct values: one code per row.

    Args:
        compact: Whether values that need a more general store are packed; otherwise, they are stored as a list.
    """

    def __init__(self, compact: bool) -> None:
        self._compact = compact
        self._codes = array("H")
        self._values: list[Label | None] = []
        self._code_by_value: dict[object, int] = {}

    def add(self, label: Label | None) -> bool:
        """Add a value; return False if there are too many distinct values, or for a list that is not packed."""
        if isinstance(label, tuple) and not self._compact:
            return False
        code = self._find_code(label)
        if code is None:
            return False
        self._codes.append(code)
        return True

    def add_categorical(self, column: CategoricalColumn[Any]) -> bool:
        """Add values given as codes; return False if there are too many distinct values."""
        lookup = np.zeros(len(column.values), dtype=np.uint16)
        for code in np.flatnonzero(np.bincount(column.codes, minlength=len(column.values))).tolist():
            store_code = self._find_code(column.values[code])
            if store_code is None:
                return False
            lookup[code] = store_code
        self._codes.frombytes(lookup[column.codes].tobytes())
        return True

    def add_numbers(self, column: NumericColumn) -> bool:
        """Return False: numbers are coded only if there are few distinct ones."""
        return False

    def _find_code(self, label: Label | None) -> int | None:
        """Return the code of a value, a new one if necessary; None if there are too many."""
        # 1, 1.0 and "1" are different labels.
        key = label if label is None or isinstance(label, str) else (repr(label),)
        code = self._code_by_value.get(key)
        if code is None:
            code = len(self._values)
            if code == MAX_DISTINCT_VALUES:
                return None
            self._code_by_value[key] = code
            self._values.append(label)
        return code

    def widen(self) -> LabelStore:
        """Return a store for numbers if all values are numbers of one type, otherwise one for any value."""
        number_store = NumberStore(self._compact)
        column = self.column()
        if number_store.add_categorical(column):
            return number_store
        return build_general_store(column, self._compact)

    def column(self) -> CategoricalColumn[Label | None]:
        """Return the codes in the smallest sufficient integer type."""
        dtype = np.min_scalar_type(max(len(self._values) - 1, 0))
        return CategoricalColumn(self._values, np.asarray(self._codes).astype(dtype))


class NumberStore(LabelStore):
    """Store for numbers of one type.

    Args:
        compact: Whether other values are packed; otherwise, they are stored as a list.
    """

    def __init__(self, compact: bool) -> None:
        self._compact = compact
        self._numbers = array("d")
        self._type: type[float] | None = None

    def add(self, label: Label | None) -> bool:
        """Add a number; return False if the value is of another type or not exact in float64."""
        if not self._accepts(label):
            return False
        self._numbers.append(self._convert(label))
        return True

    def add_categorical(self, column: CategoricalColumn[Any]) -> bool:
        """Add numbers given as codes; return False if a value is of another type or not exact in float64."""
        numbers = np.zeros(len(column.values))
        number_type = self._type
        for code in np.flatnonzero(np.bincount(column.codes, minlength=len(column.values))).tolist():
            if not self._accepts(column.values[code]):
                self._type = number_type
                return False
            numbers[code] = self._convert(column.values[code])
        self._numbers.frombytes(numbers[column.codes].tobytes())
        return True

    def add_numbers(self, column: NumericColumn) -> bool:
        """Add numbers; return False if they are of another type."""
        number_type = int if column.is_integer else float
        if self._type not in {None, number_type}:
            return False
        self._type = number_type
        self._numbers.frombytes(np.ascontiguousarray(column.values, dtype=np.float64).tobytes())
        return True

    def _accepts(self, label: Label | None) -> bool:
        if label is None:
            return True
        if not isinstance(label, int | float) or not isinstance(label, self._type or int | float):
            return False
        return not isinstance(label, int) or abs(label) <= _MAX_EXACT_INTEGER

    def _convert(self, label: Any) -> float:
        if label is None:
            return float("nan")
        self._type = type(label)
        return float(label)

    def column(self) -> NumericColumn:
        """Return the numbers."""
        return NumericColumn(np.asarray(self._numbers), self._type is int)

    def widen(self) -> LabelStore:
        """Return a store for any value."""
        return build_general_store(self.column(), self._compact)


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


def build_general_store(labels: Iterable[Label | None], compact: bool) -> LabelStore:
    """Return a store of any values that contains some.

    Args:
        labels: The values.
        compact: Whether to pack them.
    """
    store: LabelStore = PackedStore() if compact else ListStore()
    for label in labels:
        store.add(label)
    return store
