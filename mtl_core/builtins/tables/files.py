"""What all formats of tables have in common: rows, each with its place in the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mtl_core.builtins.tables.endings import check_ending
from mtl_core.errors import MtlError

Cells = Mapping[str, object]
"""A row's cells by column. A column that is not there, or None, holds nothing."""


class Row(NamedTuple):
    """A row, the number by which messages name it, and the byte where it starts."""

    cells: Cells
    number: int
    start: int


class TableFile(ABC):
    """A table on disk.

    Attributes:
        path: The file.
        header: The columns; None if every row names its own.
        end: The byte where the last row ends. Known once all rows were read.
    """

    header: Sequence[str] | None
    end: int = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def size(self) -> int:
        """About how many bytes the table's cells are."""

    @property
    def top(self) -> str:
        """The place of the header, for messages."""
        return f"{self.path}:1"

    def origin(self, number: int) -> str:
        """The place of a row, for messages."""
        return f"{self.path}:{number}"

    @abstractmethod
    def rows(self, columns: Sequence[str] | None, kept: Sequence[str]) -> Generator[Row, None, None]:
        """Read all rows.

        Args:
            columns: The columns that are wanted, all if None; others may be left out.
            kept: The columns that will be asked for again, by `open` and `parse`.

        Raises:
            MtlError: If the file is malformed.
        """

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open what the rows' starts are places in.

        Raises:
            MtlError: If it is not what was read.
        """

    @abstractmethod
    def parse(self, data: bytes) -> Cells:
        """Read the kept columns of a row again, from its bytes.

        Raises:
            MtlError: If they are no row.
        """


def open_table(path: Path, delimiter: str | None, quoted: bool) -> TableFile:
    """Open a table of any format.

    Raises:
        MtlError: If its ending is unknown, it cannot be read, or it has no valid header.
    """
    ending = check_ending(path)
    if not path.is_file():
        raise MtlError(f"{path}: no such file")
    if ending == ".parquet":
        from mtl_core.builtins.tables.parquet_file import ParquetFile

        return ParquetFile(path)
    if ending == ".jsonl":
        from mtl_core.builtins.tables.json_lines_file import JsonLinesFile

        return JsonLinesFile(path)
    from mtl_core.builtins.tables.csv_file import CsvFile

    return CsvFile(path, delimiter or ("\t" if ending == ".tsv" else ","), quoted)


def check_header(names: Sequence[str], top: str) -> None:
    """Refuse a header in which a name stands twice; columns without a name are passed over anyway.

    Raises:
        MtlError: At the first such name.
    """
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise MtlError(f"{top}: two columns are called '{name}'")
        seen.add(name)
