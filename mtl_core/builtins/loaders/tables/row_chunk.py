"""Consecutive rows of a table, read by column."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.loaders.tables.table_file import Row
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.files.cells import Cells
from mtl_core.data.files.number_parsing import parse_numbers

MAX_NUMBER_CODES = 256
"""Numbers with more distinct values than this are stored as numbers, not as codes."""
MAX_CELLS = 500_000
"""Number of cells of a chunk."""
MAX_BYTES = 2**20
"""Number of bytes of a chunk's rows in a text file."""


def is_full(n_cells: int, n_bytes: int) -> bool:
    """Return whether a chunk with this number of cells and bytes takes no further row."""
    return n_cells >= MAX_CELLS or n_bytes >= MAX_BYTES


class RowChunk(ABC):
    """Consecutive rows of a table.

    Columns are parsed as a whole. If that fails, `iter_rows` finds the first row and cell to report.

    Args:
        numbers: The number of each row, for messages.
        starts: The byte offset where each row starts.
    """

    def __init__(self, numbers: Sequence[int], starts: Sequence[int]) -> None:
        self.numbers = numbers
        self.starts = starts

    def __len__(self) -> int:
        return len(self.numbers)

    @abstractmethod
    def get_cells(self, name: str, absent: object = None) -> Sequence[Any]:
        """Return the cells of a column; `absent` for each row that has no such column."""

    @abstractmethod
    def get_row(self, index: int) -> Cells:
        """Return all cells of a row of the chunk."""

    def iter_rows(self) -> Iterator[Row]:
        """Return the rows one by one."""
        for index, (number, start) in enumerate(zip(self.numbers, self.starts, strict=True)):
            yield Row(self.get_row(index), number, start)

    def get_numbers(self, name: str) -> NDArray[Any] | None:
        """Return a column of numbers, `(rows,)`, or of equally long lists of them, `(rows, length)`; None otherwise.

        The result is float32 or float64; all numbers are within the range of float32.
        """
        return parse_numbers(self.get_cells(name))

    def get_distinct(self, name: str) -> CategoricalColumn[Any] | NumericColumn | None:
        """Return a column as codes and distinct cells, or as numbers.

        Returns:
            None if there is no such form: cells of several types, lists, dates.
        """
        cells = self.get_cells(name)
        types = set(map(type, cells)) - {type(None)}
        if not types <= {str} and not types <= {int} and not types <= {bool}:
            return code_numbers(np.array(cells, dtype=np.float64)) if types == {float} else None
        values = list(dict.fromkeys(cells))
        code_by_value = {value: code for code, value in enumerate(values)}
        codes = np.fromiter(map(code_by_value.__getitem__, cells), dtype=np.int32, count=len(cells))
        return CategoricalColumn(values, codes)


def code_numbers(numbers: NDArray[np.float64]) -> CategoricalColumn[Any] | NumericColumn | None:
    """Return floats as codes if there are few distinct ones, otherwise as they are.

    Args:
        numbers: `(rows,)`, float64; NaN for a missing number.

    Returns:
        None if a number is infinite, which no label is.
    """
    missing = np.isnan(numbers)
    if np.isinf(numbers).any():
        return None
    sample = numbers[:: max(len(numbers) // MAX_NUMBER_CODES, 1)]
    if len(numbers) > 2 * MAX_NUMBER_CODES and len(np.unique(sample[~np.isnan(sample)])) > MAX_NUMBER_CODES // 2:
        return NumericColumn(numbers)
    # By bits, since 0.0 and -0.0 are equal, but different labels.
    bits, codes = np.unique(np.where(missing, np.nan, numbers).view(np.int64), return_inverse=True)
    if len(bits) > MAX_NUMBER_CODES:
        return NumericColumn(numbers)
    values = [None if value != value else value for value in bits.view(np.float64).tolist()]
    return CategoricalColumn(values, codes.reshape(-1))


class RecordChunk(RowChunk):
    """Rows whose cells are Python objects by column.

    Args:
        records: The cells of each row.
        numbers: The number of each row.
        starts: The byte offset of each row.
    """

    def __init__(self, records: Sequence[Cells], numbers: Sequence[int], starts: Sequence[int]) -> None:
        super().__init__(numbers, starts)
        self._records = records

    def get_cells(self, name: str, absent: object = None) -> Sequence[Any]:
        """Return the cells of a column."""
        return [cells.get(name, absent) for cells in self._records]

    def get_row(self, index: int) -> Cells:
        """Return all cells of a row."""
        return self._records[index]


class ColumnChunk(RowChunk):
    """Rows of a table in memory.

    Args:
        columns: The cells of each column.
        n_rows: The number of rows.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], n_rows: int) -> None:
        super().__init__(range(n_rows), [0] * n_rows)
        self._columns = columns

    def get_cells(self, name: str, absent: object = None) -> Sequence[Any]:
        """Return the cells of a column."""
        return self._columns[name] if name in self._columns else [absent] * len(self)

    def get_row(self, index: int) -> Cells:
        """Return all cells of a row."""
        return {name: cells[index] for name, cells in self._columns.items()}


class TextChunk(ColumnChunk):
    """Rows of texts, all with the same columns.

    Args:
        header: The columns.
        rows: The cells of each row, in the order of the columns.
        numbers: The number of each row.
        starts: The byte offset of each row.
    """

    def __init__(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int], starts: Sequence[int]
    ) -> None:
        super().__init__(dict(zip(header, zip(*rows, strict=True), strict=True)), len(rows))
        self.numbers, self.starts = numbers, starts
