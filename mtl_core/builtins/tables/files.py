"""Base class of all table formats: rows, each with its location in the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mtl_core.builtins.tables.file_extensions import validate_extension
from mtl_core.errors import MtlError

Cells = Mapping[str, object]
"""A row's cells by column. An absent column or None is an empty cell."""


class Row(NamedTuple):
    """A row, its number for messages, and the byte offset where it starts."""

    cells: Cells
    number: int
    start: int


class TableFile(ABC):
    """A table on disk.

    Attributes:
        path: The file.
        header: The columns; None if every row defines its own.
        end: The byte offset where the last row ends. Set after all rows are read.
    """

    header: Sequence[str] | None
    end: int = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def size(self) -> int:
        """The approximate size of the table's cells in bytes."""

    @property
    def header_location(self) -> str:
        """The location of the header, for messages."""
        return f"{self.path}:1"

    def format_location(self, number: int) -> str:
        """Return the location of a row, for messages."""
        return f"{self.path}:{number}"

    @abstractmethod
    def iter_rows(self, columns: Sequence[str] | None, reread_columns: Sequence[str]) -> Generator[Row, None, None]:
        """Read all rows.

        Args:
            columns: The columns to read, all if None; others may be left out.
            reread_columns: The columns that are read again later, by `open` and `parse`.

        Raises:
            MtlError: If the file is malformed.
        """

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open the file that the rows' byte offsets refer to.

        Raises:
            MtlError: If the file changed since it was read.
        """

    @abstractmethod
    def parse(self, data: bytes) -> Cells:
        """Parse the kept columns of a row from its bytes.

        Raises:
            MtlError: If the bytes are not a valid row.
        """


def open_table(path: Path, delimiter: str | None, quoted: bool) -> TableFile:
    """Open a table of any format.

    Raises:
        MtlError: If its extension is not supported, it cannot be read, or it has no valid header.
    """
    extension = validate_extension(path)
    if not path.is_file():
        raise MtlError(f"{path}: no such file")
    if extension == ".parquet":
        from mtl_core.builtins.tables.parquet_file import ParquetFile

        return ParquetFile(path)
    if extension == ".jsonl":
        from mtl_core.builtins.tables.json_lines_file import JsonLinesFile

        return JsonLinesFile(path)
    from mtl_core.builtins.tables.csv_file import CsvFile

    return CsvFile(path, delimiter or ("\t" if extension == ".tsv" else ","), quoted)


def validate_header(names: Sequence[str], location: str) -> None:
    """Raise an error if a header contains a name twice; columns without a name are ignored.

    Raises:
        MtlError: For the first duplicate name.
    """
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise MtlError(f"{location}: two columns are called '{name}'")
        seen.add(name)
