"""Build a corpus from the rows of tables."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.builtins.tables.columns import TableColumns
from mtl_core.builtins.tables.files import Cells, TableFile, open_table
from mtl_core.builtins.tables.ids import IdStore, Origins, hashed, id_in
from mtl_core.builtins.tables.inputs import input_cell, shown
from mtl_core.builtins.tables.stored import StoredRows, TableInputs
from mtl_core.data.columns import CodedColumn, RowNumbers
from mtl_core.data.corpus import PARTS, Corpus, Part, input_key
from mtl_core.errors import MtlError, did_you_mean, listed

if TYPE_CHECKING:
    from mtl_core.builtins.table import Table

HELD_BYTES = 64 * 2**20
"""Above this size in bytes, inputs are not held in memory but read on demand."""


def read_tables(table: Table, files: Sequence[tuple[Path, Part]], columns: Sequence[str] | None = None) -> Corpus:
    """Read files, each as one split, or split by the column `table.part`.

    Args:
        table: Defines the columns.
        files: The files and their splits, the training file first.
        columns: The label columns of a trained run that reads a new file; None for a new run.

    Raises:
        MtlError: If a file is missing or malformed.
    """
    opened = [open_table(path, table.delimiter, table.quoted) for path, _ in files]
    reading = _Reading(table, sum(file.size for file in opened) > HELD_BYTES, columns)
    for file, (_, part) in zip(opened, files, strict=True):
        reading.read(file, part)
    return reading.corpus()


class _Reading:
    """Collector of all rows read so far.

    Args:
        table: Defines the columns.
        compact: Whether inputs stay in their files and columns are stored with little memory.
        columns: The label columns, if they are known before any file is read.
    """

    def __init__(self, table: Table, compact: bool, columns: Sequence[str] | None) -> None:
        self._table = table
        self._compact = compact
        self._columns = TableColumns(table, compact, columns)
        self._inputs = table.inputs()
        self._files: list[tuple[Callable[[int], str], int]] = []
        self._numbers = array("I")
        self._parts = array("b")
        self._ids: list[str] = []
        self._values: list[object] = []
        # With `compact`, these replace the two lists above.
        self._packed_ids = IdStore()
        self._stored: list[StoredRows] = []
        self._sizes = array("i")
        self._groups = array("q")

    def read(self, file: TableFile, part: Part) -> None:
        """Read a file.

        Raises:
            MtlError: If the file is malformed.
        """
        training = part == "train"
        self._columns.begin(file, training)
        before = len(self._numbers)
        starts = array("q")
        kept = self._inputs.names if self._compact else ()
        with closing(file.rows(self._columns.wanted, kept)) as rows:
            for cells, number, start in rows:
                try:
                    self._take_input(cells)
                    found = self._part(cells) if training and self._table.part else part
                    self._take_id(cells, found, None if training else len(self._numbers) - before + 1)
                    self._columns.add(cells)
                except MtlError as error:
                    raise MtlError(f"{file.origin(number)}: {error}") from error
                self._parts.append(PARTS.index(found))
                self._numbers.append(number)
                if self._compact:
                    starts.append(start)
        self._columns.end(file, training)
        self._files.append((file.origin, len(self._numbers) - before))
        if self._compact:
            starts.append(file.end)
            self._stored.append(StoredRows(file, np.asarray(starts)))

    def corpus(self) -> Corpus:
        """Build the corpus from all files.

        Raises:
            MtlError: If an id occurs twice in a split.
        """
        coded = CodedColumn(PARTS, np.asarray(self._parts))
        parts: Sequence[Part] = coded if self._compact else list(coded)
        origins = Origins(self._files, np.asarray(self._numbers))
        ids: Sequence[str] = RowNumbers(*(rows for _, rows in self._files))
        if self._table.id is not None:
            ids = self._packed_ids.column(parts, origins) if self._compact else self._ids
        return Corpus(
            ids=ids,
            inputs=self._stored_inputs() if self._compact else self._values,
            labels=self._columns.labels(),
            parts=parts,
            origins=origins,
            groups=self._groups,
            weights=self._columns.weights(),
            notice=self._table.notice,
            findings=self._columns.findings,
        )

    def _stored_inputs(self) -> TableInputs:
        return TableInputs(self._stored, self._inputs, np.asarray(self._sizes, dtype=np.int32))

    def _take_input(self, cells: Cells) -> None:
        value = self._inputs.read(cells)
        if self._compact:
            key = input_key(value)
            self._groups.append(hashed(key if isinstance(key, str) else repr(key)))
            self._sizes.append(self._inputs.size(value))
        else:
            self._values.append(value)

    def _part(self, cells: Cells) -> Part:
        name = self._table.part or ""
        cell = input_cell(cells, name)
        text = cell.strip() if isinstance(cell, str) else cell
        if text not in PARTS:
            near = did_you_mean(text, PARTS) if isinstance(text, str) else ""
            raise MtlError(f"column '{name}': expected {listed(PARTS)}, found {shown(text)}{near}")
        return PARTS[PARTS.index(text)]

    def _take_id(self, cells: Cells, part: Part, row: int | None) -> None:
        """Store the row's id; rows of files without ids, which training files may not be, are numbered."""
        name = self._table.id
        if name is None:
            return
        numbered = row is not None and name not in cells
        found = str(row) if numbered else id_in(input_cell(cells, name), name)
        if self._compact:
            self._packed_ids.add(found, part)
        else:
            self._ids.append(found)
