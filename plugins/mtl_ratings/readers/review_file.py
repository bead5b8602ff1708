"""The base class of files of reviews, and their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core import MtlError, did_you_mean, join_names
from mtl_core.data import Cells


@dataclass(frozen=True)
class FileRow:
    """A row of a file.

    Attributes:
        cells: Column name to cell.
        location: Its location, for messages: `reviews.csv:17`.
        short_location: Its location within the file: `line 17`.
    """

    cells: Cells
    location: str
    short_location: str


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, with its location and the reason."""

    location: str
    reason: str

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"


def build_bad_row(path: Path, line_number: int, error: MtlError) -> BadRow:
    """Convert the error of a `LineReader` about a line that is not valid text to a bad row."""
    location = f"{path}:{line_number}"
    return BadRow(location, str(error).removeprefix(f"{location}: "))


class ReviewFile(ABC):
    """A file of rows that can be iterated repeatedly.

    Unlike the training tables (`mtl_core.builtins.loaders.tables`), it is read sequentially, and reading continues
    after an invalid row.

    Args:
        path: The file.
        names: The columns to read.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = names

    @abstractmethod
    def read_rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows.

        Raises:
            MtlError: If the file cannot be read, or lacks a column.
        """

    def _check_columns(self, header: Sequence[str], location: str) -> None:
        """Check that the file has all columns.

        Raises:
            MtlError: At the first column that is missing or occurs twice.
        """
        for name in self.names:
            if name not in header:
                raise MtlError(
                    f"{location}: there is no column '{name}'{did_you_mean(name, header)} "
                    f"(columns: {join_names(header)})"
                )
            if list(header).count(name) > 1:
                raise MtlError(f"{location}: two columns are called '{name}'")
