"""Consecutive rows of a Parquet file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.loaders.tables.arrow_values import read_missing, read_values
from mtl_core.builtins.loaders.tables.row_chunk import MAX_NUMBER_CODES, RowChunk, code_numbers
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.files.cells import Cells
from mtl_core.data.files.number_parsing import are_float32_numbers

if TYPE_CHECKING:
    import pyarrow

MAX_EXACT_INTEGER = 2**53
"""Integers up to this are exact in float64."""


class ParquetChunk(RowChunk):
    """A record batch of Arrow.

    Args:
        batch: The columns.
        first_number: The number of the first row, from 1.
        starts: The byte offset of each row in the temporary file.
        translate_errors: Context in which errors of Arrow become an `MtlError`.
    """

    def __init__(
        self,
        batch: pyarrow.RecordBatch,
        first_number: int,
        starts: Sequence[int],
        translate_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(range(first_number, first_number + batch.num_rows), starts)
        self._batch = batch
        self._names = set(batch.schema.names)
        self._translate_errors = translate_errors

    def get_cells(self, name: str, absent: object = None) -> Sequence[Any]:
        """Return the cells of a column as Python objects; None for NaN, which is how pandas writes a missing value."""
        if name not in self._names:
            return [absent] * len(self)
        with self._translate_errors():
            cells = _truncate_nanoseconds(self._batch.column(name)).to_pylist()
        return [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]

    def get_row(self, index: int) -> Cells:
        """Return all cells of a row."""
        row = ParquetChunk(self._batch.slice(index, 1), 0, [0], self._translate_errors)
        return {name: row.get_cells(name)[0] for name in self._batch.schema.names}

    def get_numbers(self, name: str) -> NDArray[Any] | None:
        """Return a column of numbers or of equally long lists of them, without Python objects."""
        from pyarrow import types

        if name not in self._names:
            return None
        column = self._decode(name)
        if column.null_count or not len(column):
            return None
        if _is_list(column.type):
            members = column.flatten()
            lengths = np.unique(read_values(column.value_lengths()))
            if len(lengths) != 1 or members.null_count:
                return None
            numbers = _convert_numbers(members)
            return None if numbers is None else numbers.reshape(len(column), int(lengths[0]))
        if types.is_string(column.type) or types.is_large_string(column.type):
            return super().get_numbers(name)
        return _convert_numbers(column)

    def get_distinct(self, name: str) -> CategoricalColumn[Any] | NumericColumn | None:
        """Return a column as codes and distinct cells, or as numbers, without a Python object per row."""
        from pyarrow import types

        if name not in self._names:
            return CategoricalColumn([None], np.zeros(len(self), dtype=np.int32))
        column = self._decode(name)
        if types.is_float32(column.type) or types.is_float64(column.type):
            return code_numbers(np.where(read_missing(column), np.nan, read_values(column)).astype(np.float64))
        is_text = types.is_string(column.type) or types.is_large_string(column.type)
        is_integer = types.is_integer(column.type)
        if not (is_text or is_integer or types.is_boolean(column.type) or types.is_null(column.type)):
            return None
        if types.is_null(column.type):
            return CategoricalColumn([None], np.zeros(len(self), dtype=np.int32))
        encoded = column.dictionary_encode()
        if is_integer and len(encoded.dictionary) > MAX_NUMBER_CODES:
            missing = read_missing(column)
            integers = np.where(missing, 0, read_values(column))
            if integers.min() >= -MAX_EXACT_INTEGER and integers.max() <= MAX_EXACT_INTEGER:
                return NumericColumn(np.where(missing, np.nan, integers.astype(np.float64)), is_integer=True)
        with self._translate_errors():
            values = encoded.dictionary.to_pylist()
        codes = read_values(encoded.indices)
        if encoded.indices.null_count:
            codes = np.where(read_missing(encoded.indices), len(values), codes)
            values.append(None)
        return CategoricalColumn(values, codes)

    def _decode(self, name: str) -> pyarrow.Array:
        """Return a column, with its values instead of codes."""
        from pyarrow import types

        column = self._batch.column(name)
        return column.dictionary_decode() if types.is_dictionary(column.type) else column


def _is_list(data_type: pyarrow.DataType) -> bool:
    from pyarrow import types

    return any(is_type(data_type) for is_type in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def _convert_numbers(column: pyarrow.Array) -> NDArray[Any] | None:
    """Convert integers and floats to float32 or float64; None for other types and numbers out of range."""
    from pyarrow import types

    if not (types.is_integer(column.type) or types.is_float32(column.type) or types.is_float64(column.type)):
        return None
    numbers = read_values(column)
    if types.is_integer(column.type):
        numbers = numbers.astype(np.float64)
    return numbers if are_float32_numbers(numbers) else None


def _truncate_nanoseconds(column: pyarrow.Array) -> pyarrow.Array:
    """Return times in microseconds, which `datetime` represents."""
    import pyarrow

    if pyarrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
    return column
