"""Base class of all table formats: rows, each with its location in the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mtl_core.data.files.cells import Cells
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.tables.row_chunk import RowChunk


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

    def list_columns(self) -> Sequence[str]:
        """Return all columns: the header, or the columns of all rows."""
        return self.header or ()

    def count_rows(self) -> int | None:
        """Return the number of rows; None if it is unknown before they are read."""
        return None

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
    def iter_chunks(
        self, columns: Sequence[str] | None, reread_columns: Sequence[str]
    ) -> Generator[RowChunk, None, None]:
        """Read all rows, some at a time. The rows before a malformed one are returned before it raises an error.

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
        """Parse the columns of a row that are read again, from its bytes.

        Raises:
            MtlError: If the bytes are not a valid row.
        """


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
