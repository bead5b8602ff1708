"""Build a corpus from the rows of tables."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_core.builtins.loaders.tables.column_selection import select_columns
from mtl_core.builtins.loaders.tables.ids import IdStore, RowLocations, hash_text, parse_id
from mtl_core.builtins.loaders.tables.label_columns import TableColumns
from mtl_core.builtins.loaders.tables.open_table import open_table
from mtl_core.builtins.loaders.tables.stored_inputs import StoredRows, TableInputs
from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.array_rows import ArrayRows
from mtl_core.data.columns import CategoricalColumn, RowNumbers
from mtl_core.data.corpus import SPLIT_NAMES, Corpus, SplitName, compute_input_key
from mtl_core.data.files.cells import Cells, format_cell, require_cell
from mtl_core.errors import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.table import Table
    from mtl_core.builtins.loaders.tables.row_chunk import RowChunk

NUMBERS_FACTOR = 4
"""Factor of `MAX_BYTES_IN_MEMORY` for inputs that are numbers, which are compact in memory."""
_ABSENT = object()
"""The cell of a row without a column."""
MAX_BYTES_IN_MEMORY = 64 * 2**20
"""Above this size in bytes, inputs are not held in memory but read on demand."""


def read_tables(
    table: Table, files: Sequence[tuple[Path, SplitName]], label_columns: Sequence[str] | None = None
) -> Corpus:
    """Read files, each as one split, or split by the column `table.split`.

    Args:
        table: Defines the columns.
        files: The files and their splits, the training file first.
        label_columns: The label columns of a trained run that reads a new file; None for a new run.

    Raises:
        MtlError: If a file is missing or malformed.
    """
    table_files = [open_table(path, table.delimiter, table.quoted) for path, _ in files]
    if label_columns is None:
        table = select_columns(table, table_files[0])
    builder = _CorpusBuilder(table, _are_large(table, table_files), label_columns)
    for file, (_, split_name) in zip(table_files, files, strict=True):
        builder.add_file(file, split_name)
    return builder.build()


def _are_large(table: Table, files: Sequence[TableFile]) -> bool:
    """Return whether inputs are read on demand: arrays of numbers are compact in memory, so more of them are held."""
    size = sum(file.size for file in files)
    if table.numbers is None:
        return size > MAX_BYTES_IN_MEMORY
    n_numbers = sum(file.count_rows() or 0 for file in files) * len(table.input_names)
    return max(size, 4 * n_numbers) > NUMBERS_FACTOR * MAX_BYTES_IN_MEMORY


class _CorpusBuilder:
    """Collector of all rows read so far.

    Args:
        table: Defines the columns.
        compact: Whether inputs stay in their files and columns are stored with little memory.
        columns: The label columns, if they are known before any file is read.
    """

    def __init__(self, table: Table, compact: bool, label_columns: Sequence[str] | None) -> None:
        self._table = table
        self._compact = compact
        self._columns = TableColumns(table, compact, label_columns)
        self._inputs = table.build_input_reader()
        self._files: list[tuple[Callable[[int], str], int]] = []
        self._row_numbers = array("I")
        self._split_codes = array("b")
        self._ids: list[str] = []
        self._input_chunks: list[Sequence[Any]] = []
        # With `compact`, these replace the two lists above.
        self._packed_ids = IdStore()
        self._stored_rows: list[StoredRows] = []
        self._input_sizes = array("i")
        self._groups = array("q")

    def add_file(self, file: TableFile, file_split: SplitName) -> None:
        """Read a file.

        Raises:
            MtlError: If the file is malformed.
        """
        is_training = file_split == "train"
        self._columns.start_file(file, is_training)
        n_rows_before = len(self._row_numbers)
        starts = array("q")
        reread_columns = self._inputs.names if self._compact else ()
        with closing(file.iter_chunks(self._columns.columns_to_read, reread_columns)) as chunks:
            for chunk in chunks:
                self._columns.start_chunk(chunk)
                first_row = None if is_training else len(self._row_numbers) - n_rows_before + 1
                try:
                    self._add_chunk(chunk, file.path.parent, file_split, first_row)
                except MtlError:
                    self._report_first_error(chunk, file, is_training)
                    raise
                if self._compact:
                    starts.extend(chunk.starts)
        self._columns.finish_file(file, is_training)
        self._files.append((file.format_location, len(self._row_numbers) - n_rows_before))
        if self._compact:
            starts.append(file.end)
            self._stored_rows.append(StoredRows(file, np.asarray(starts)))

    def build(self) -> Corpus:
        """Build the corpus from all files.

        Raises:
            MtlError: If an id occurs twice in a split.
        """
        split_column = CategoricalColumn(SPLIT_NAMES, np.asarray(self._split_codes))
        splits: Sequence[SplitName] = split_column if self._compact else list(split_column)
        locations = RowLocations(self._files, np.asarray(self._row_numbers))
        ids: Sequence[str] = RowNumbers(*(rows for _, rows in self._files))
        if self._table.id is not None:
            ids = self._packed_ids.column(splits, locations) if self._compact else self._ids
        return Corpus(
            ids=ids,
            inputs=self._build_stored_inputs() if self._compact else self._inputs.concatenate(self._input_chunks),
            labels=self._columns.labels(),
            splits=splits,
            locations=locations,
            groups=self._groups if len(self._groups) == len(self._row_numbers) else (),
            weights=self._columns.weights(),
            metadata=self._columns.metadata(),
            disclaimer=self._table.disclaimer,
            warnings=self._columns.warnings,
        )

    def _build_stored_inputs(self) -> TableInputs:
        return TableInputs(self._stored_rows, self._inputs, np.asarray(self._input_sizes, dtype=np.int32))

    def _add_chunk(self, chunk: RowChunk, folder: Path, file_split: SplitName, first_row: int | None) -> None:
        """Parse a chunk by columns, and add its rows.

        Args:
            chunk: The rows.
            folder: The folder that relative paths in cells are resolved against.
            file_split: The split of the file.
            first_row: The number of the first row, from 1; None for a training file.

        Raises:
            MtlError: If a cell is invalid; nothing is added then.
        """
        inputs = self._inputs.read_chunk(chunk, folder)
        split_names: list[SplitName] = [file_split] * len(chunk)
        if first_row is None and self._table.split:
            split_names = [self._parse_split({self._table.split: c}) for c in chunk.get_cells(self._table.split)]
        ids = self._parse_ids(chunk, first_row)
        self._columns.add(self._columns.parse_chunk(chunk), len(chunk))
        self._split_codes.extend(map(SPLIT_NAMES.index, split_names))
        self._row_numbers.extend(chunk.numbers)
        self._add_inputs(inputs)
        if not self._compact:
            self._ids += ids
            return
        for row_id, split_name in zip(ids, split_names, strict=False):  # without ids, none
            self._packed_ids.add(row_id, split_name)

    def _report_first_error(self, chunk: RowChunk, file: TableFile, is_training: bool) -> None:
        """Raise the error of the first row of a chunk with an invalid cell, with its location."""
        for cells, number, _ in chunk.iter_rows():
            try:
                self._inputs.read(cells, file.path.parent)
                if is_training and self._table.split:
                    self._parse_split(cells)
                name = self._table.id
                if name is not None and (is_training or name in cells):
                    parse_id(require_cell(cells, name), name)
                self._columns.check_row(cells)
            except MtlError as error:
                raise MtlError(f"{file.format_location(number)}: {error}") from error

    def _add_inputs(self, inputs: Sequence[Any]) -> None:
        if isinstance(inputs, ArrayRows) or self._compact:
            for value in inputs:
                key = compute_input_key(value)
                self._groups.append(hash_text(key if isinstance(key, str) else repr(key)))
        if not self._compact:
            self._input_chunks.append(inputs)
            return
        self._input_sizes.extend(map(self._inputs.size, inputs))

    def _parse_split(self, cells: Cells) -> SplitName:
        name = self._table.split or ""
        cell = require_cell(cells, name)
        text = cell.strip() if isinstance(cell, str) else cell
        if text not in SPLIT_NAMES:
            hint = did_you_mean(text, SPLIT_NAMES) if isinstance(text, str) else ""
            raise MtlError(f"column '{name}': expected {join_names(SPLIT_NAMES)}, found {format_cell(text)}{hint}")
        return SPLIT_NAMES[SPLIT_NAMES.index(text)]

    def _parse_ids(self, chunk: RowChunk, first_row: int | None) -> list[str]:
        """Return the ids of a chunk; rows of files without ids, which training files may not be, are numbered."""
        name = self._table.id
        if name is None:
            return []
        cells = chunk.get_cells(name, _ABSENT)
        if first_row is None:
            return [parse_id(require_cell({} if cell is _ABSENT else {name: cell}, name), name) for cell in cells]
        return [
            str(first_row + index) if cell is _ABSENT else parse_id(require_cell({name: cell}, name), name)
            for index, cell in enumerate(cells)
        ]
