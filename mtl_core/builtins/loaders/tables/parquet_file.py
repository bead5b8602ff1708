"""Parquet files, read with pyarrow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mtl_core.builtins.loaders.tables.parquet_chunk import ParquetChunk
from mtl_core.builtins.loaders.tables.row_chunk import RowChunk
from mtl_core.builtins.loaders.tables.table_file import TableFile, validate_header
from mtl_core.data.files.cells import Cells
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import pyarrow

BATCH_SIZE = 4096
"""Number of rows in memory at a time."""
MAX_BATCH_CELLS = 2**21
"""Number of cells in memory at a time, for tables of many columns."""


class ParquetFile(TableFile):
    """A Parquet file. Messages identify its rows by their number, from 1.

    A row of a Parquet file cannot be read without its whole row group. Columns that are read again later are
    therefore copied to an unnamed temporary file in JSON Lines format, which is deleted when it is closed.

    Args:
        path: The file.

    Raises:
        MtlError: If pyarrow is not installed, the file is not a Parquet file, or two columns share a name.
    """

    header: Sequence[str]

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise MtlError(f'{path}: Parquet files need pyarrow: pip install "mtl-core[parquet]"') from error
        self._temporary_file: BinaryIO | None = None
        with self._translate_errors():
            # Pages are memory-mapped and decoded one by one, however large the file's row groups are.
            self._file = parquet.ParquetFile(path, memory_map=True, buffer_size=2**20, pre_buffer=False)
            self._schema = self._file.schema_arrow
        self.header = list(self._schema.names)
        validate_header(self.header, self.header_location)

    @property
    def size(self) -> int:
        """The decompressed size of all columns in bytes."""
        metadata = self._file.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))

    def count_rows(self) -> int:
        """Return the number of rows."""
        return int(self._file.metadata.num_rows)

    @property
    def header_location(self) -> str:
        """The path of the file, whose header is not on a line."""
        return str(self.path)

    def format_location(self, number: int) -> str:
        """Return the location of a row."""
        return f"{self.path}: row {number}"

    def iter_chunks(
        self, columns: Sequence[str] | None, reread_columns: Sequence[str]
    ) -> Generator[RowChunk, None, None]:
        """Read the requested columns of all rows.

        Raises:
            MtlError: If the file is damaged, or a column contains neither texts nor numbers nor dates
                nor lists of them.
        """
        selected = None if columns is None else set(columns)
        names = [name for name in self.header if name and (selected is None or name in selected)]
        for name in names:
            self._validate_type(name)
        number = 1
        for batch in self._iter_batches(names):
            starts: list[int] = [0] * batch.num_rows
            if reread_columns:
                chunk = ParquetChunk(batch, number, starts, self._translate_errors)
                columns_to_copy = [chunk.get_cells(name) for name in reread_columns]
                for index, row in enumerate(zip(*columns_to_copy, strict=True)):
                    starts[index] = self.end
                    self._write_row(dict(zip(reread_columns, row, strict=True)))
            yield ParquetChunk(batch, number, starts, self._translate_errors)
            number += batch.num_rows

    def open(self) -> BinaryIO:
        """Return the temporary file."""
        if self._temporary_file is None:
            self._temporary_file = tempfile.TemporaryFile()  # noqa: SIM115  it is closed with this object
        return self._temporary_file

    def parse(self, data: bytes) -> Cells:
        """Parse a row of the temporary file."""
        cells: Cells = json.loads(data)
        return cells

    def _write_row(self, cells: Cells) -> None:
        try:
            self.end += self.open().write(json.dumps(cells, default=date.isoformat).encode() + b"\n")
        except OSError as error:
            temp_dir = tempfile.gettempdir()
            raise MtlError(f"{self.path}: its inputs cannot be copied to {temp_dir}: {error.strerror}") from error

    def _iter_batches(self, names: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        with self._translate_errors():
            n_rows = max(min(BATCH_SIZE, MAX_BATCH_CELLS // max(len(names), 1)), 1)
            yield from self._file.iter_batches(n_rows, columns=names, use_threads=False)

    def _validate_type(self, name: str) -> None:
        data_type = self._schema.field(name).type
        if not _is_readable(data_type):
            raise MtlError(
                f"{self.path}: column '{name}' is of type {data_type}, expected texts, numbers, booleans, dates, or"
                " lists of them; `labels` names the columns that are labels"
            )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        import pyarrow

        try:
            yield
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise MtlError(f"{self.path}: cannot be read as Parquet: {error}") from error


def _is_readable(data_type: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(data_type):
        return _is_readable(data_type.value_type)
    if types.is_list(data_type) or types.is_large_list(data_type) or types.is_fixed_size_list(data_type):
        return _is_readable(data_type.value_type)
    return any(
        is_type(data_type)
        for is_type in (
            types.is_string,
            types.is_large_string,
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_null,
            types.is_date,
            types.is_timestamp,
        )
    )
