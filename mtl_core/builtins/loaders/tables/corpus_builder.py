"""Build a corpus from the rows of tables."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.builtins.loaders.tables.ids import IdStore, RowLocations, hash_text, parse_id
from mtl_core.builtins.loaders.tables.label_columns import TableColumns
from mtl_core.builtins.loaders.tables.open_table import open_table
from mtl_core.builtins.loaders.tables.stored_inputs import StoredRows, TableInputs
from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.columns import CategoricalColumn, RowNumbers
from mtl_core.data.corpus import SPLIT_NAMES, Corpus, SplitName, compute_input_key
from mtl_core.data.files.cells import Cells, format_cell, require_cell
from mtl_core.errors import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.table import Table

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
    builder = _CorpusBuilder(table, sum(file.size for file in table_files) > MAX_BYTES_IN_MEMORY, label_columns)
    for file, (_, split_name) in zip(table_files, files, strict=True):
        builder.add_file(file, split_name)
    return builder.build()


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
        self._input_values: list[object] = []
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
        with closing(file.iter_rows(self._columns.columns_to_read, reread_columns)) as rows:
            for cells, number, start in rows:
                try:
                    self._add_input(cells, file.path.parent)
                    split_name = self._parse_split(cells) if is_training and self._table.split else file_split
                    self._add_id(cells, split_name, None if is_training else len(self._row_numbers) - n_rows_before + 1)
                    self._columns.add(cells)
                except MtlError as error:
                    raise MtlError(f"{file.format_location(number)}: {error}") from error
                self._split_codes.append(SPLIT_NAMES.index(split_name))
                self._row_numbers.append(number)
                if self._compact:
                    starts.append(start)
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
            inputs=self._build_stored_inputs() if self._compact else self._input_values,
            labels=self._columns.labels(),
            splits=splits,
            locations=locations,
            groups=self._groups,
            weights=self._columns.weights(),
            metadata=self._columns.metadata(),
            disclaimer=self._table.disclaimer,
            warnings=self._columns.warnings,
        )

    def _build_stored_inputs(self) -> TableInputs:
        return TableInputs(self._stored_rows, self._inputs, np.asarray(self._input_sizes, dtype=np.int32))

    def _add_input(self, cells: Cells, folder: Path) -> None:
        value = self._inputs.read(cells, folder)
        if self._compact:
            key = compute_input_key(value)
            self._groups.append(hash_text(key if isinstance(key, str) else repr(key)))
            self._input_sizes.append(self._inputs.size(value))
        else:
            self._input_values.append(value)

    def _parse_split(self, cells: Cells) -> SplitName:
        name = self._table.split or ""
        cell = require_cell(cells, name)
        text = cell.strip() if isinstance(cell, str) else cell
        if text not in SPLIT_NAMES:
            hint = did_you_mean(text, SPLIT_NAMES) if isinstance(text, str) else ""
            raise MtlError(f"column '{name}': expected {join_names(SPLIT_NAMES)}, found {format_cell(text)}{hint}")
        return SPLIT_NAMES[SPLIT_NAMES.index(text)]

    def _add_id(self, cells: Cells, split_name: SplitName, row: int | None) -> None:
        """Store the row's id; rows of files without ids, which training files may not be, are numbered."""
        name = self._table.id
        if name is None:
            return
        is_numbered = row is not None and name not in cells
        row_id = str(row) if is_numbered else parse_id(require_cell(cells, name), name)
        if self._compact:
            self._packed_ids.add(row_id, split_name)
        else:
            self._ids.append(row_id)
