"""Parquet files, read with pyarrow."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mtl_core.builtins.tables.files import Cells, Row, TableFile, check_header
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import pyarrow

BATCH = 4096
"""Number of rows in memory at a time."""


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
        self._copy: BinaryIO | None = None
        with self._reading():
            # Pages are memory-mapped and decoded one by one, however large the file's row groups are.
            self._file = parquet.ParquetFile(path, memory_map=True, buffer_size=2**20, pre_buffer=False)
            self._schema = self._file.schema_arrow
        self.header = list(self._schema.names)
        check_header(self.header, self.top)

    @property
    def size(self) -> int:
        """The decompressed size of all columns in bytes."""
        metadata = self._file.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))

    @property
    def top(self) -> str:
        """The path of the file, whose header is not on a line."""
        return str(self.path)

    def origin(self, number: int) -> str:
        """Return the location of a row."""
        return f"{self.path}: row {number}"

    def rows(self, columns: Sequence[str] | None, kept: Sequence[str]) -> Generator[Row, None, None]:
        """Read the requested columns of all rows.

        Raises:
            MtlError: If the file is damaged, or a column contains neither texts nor numbers nor lists of them.
        """
        names = [name for name in self.header if name and (columns is None or name in columns)]
        for name in names:
            self._check_type(name)
        number = 0
        for batch in self._batches(names):
            for cells in batch:
                number += 1
                yield Row(cells, number, self.end)
                if kept:
                    self._keep({name: cells[name] for name in kept})

    def open(self) -> BinaryIO:
        """Return the temporary file."""
        if self._copy is None:
            self._copy = tempfile.TemporaryFile()  # noqa: SIM115  it is closed with this object
        return self._copy

    def parse(self, data: bytes) -> Cells:
        """Parse a row of the temporary file."""
        cells: Cells = json.loads(data)
        return cells

    def _keep(self, cells: Cells) -> None:
        try:
            self.end += self.open().write(json.dumps(cells).encode() + b"\n")
        except OSError as error:
            place = tempfile.gettempdir()
            raise MtlError(f"{self.path}: its inputs cannot be copied to {place}: {error.strerror}") from error

    def _batches(self, names: Sequence[str]) -> Iterator[list[Cells]]:
        with self._reading():
            for batch in self._file.iter_batches(BATCH, columns=names, use_threads=False):
                columns = {name: batch.column(name).to_pylist() for name in names}
                yield [
                    {name: _cell(value) for name, value in zip(names, row, strict=True)}
                    for row in zip(*columns.values(), strict=True)
                ]

    def _check_type(self, name: str) -> None:
        kind = self._schema.field(name).type
        if not _readable(kind):
            raise MtlError(
                f"{self.path}: column '{name}' is of type {kind}, expected texts, numbers, booleans, or lists"
                " of them; `labels` names the columns that are labels"
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow

        try:
            yield
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise MtlError(f"{self.path}: cannot be read as Parquet: {error}") from error


def _readable(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _readable(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _readable(kind.value_type)
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string,
            types.is_large_string,
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_null,
        )
    )


def _cell(value: object) -> object:
    """Return None for NaN, which is how pandas writes a missing value."""
    return None if isinstance(value, float) and math.isnan(value) else value
