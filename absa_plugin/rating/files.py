"""Rows of a file of reviews, one after the other, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.builtins.tables.endings import check_ending
from mtl_core.builtins.tables.files import Cells
from mtl_core.errors import MtlError, did_you_mean, listed


@dataclass(frozen=True)
class FileRow:
    """A row.

    Attributes:
        cells: Its cells by column.
        place: Where it stands, for messages: `reviews.csv:17`.
        where: Where it stands in its file: `line 17`.
    """

    cells: Cells
    place: str
    where: str


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, where it stands, and why."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def bad_line(path: Path, number: int, error: MtlError) -> BadRow:
    """Make a bad row of what `Lines` says of a line that is no text."""
    place = f"{path}:{number}"
    return BadRow(place, str(error).removeprefix(f"{place}: "))


class ReviewFile(ABC):
    """A file of rows. It can be read as often as one likes, and always gives the same rows.

    Unlike the tables that networks are trained on (`mtl_core.builtins.tables`), it is read in one go, and reading
    goes on behind a row that is broken.

    Args:
        path: The file.
        names: The columns that are wanted.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = names

    @abstractmethod
    def rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows.

        Raises:
            MtlError: If the file cannot be read at all, or lacks a column.
        """

    def _check_columns(self, header: Sequence[str], place: str) -> None:
        """Refuse a file without one of the columns.

        Raises:
            MtlError: At the first that is missing.
        """
        for name in self.names:
            if name not in header:
                raise MtlError(
                    f"{place}: there is no column '{name}'{did_you_mean(name, header)} (columns: {listed(header)})"
                )
            if list(header).count(name) > 1:
                raise MtlError(f"{place}: two columns are called '{name}'")


def open_reviews(path: Path, names: Sequence[str], delimiter: str | None = None, quoted: bool = True) -> ReviewFile:
    """Open a file of reviews; its format is told by its ending.

    Args:
        path: The file.
        names: The columns that are wanted.
        delimiter: What separates cells of CSV files; None looks at the header.
        quoted: Whether quotation marks enclose cells of CSV files.

    Raises:
        MtlError: If there is no such file, or no table has its ending.
    """
    ending = check_ending(path)
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    if ending == ".parquet":
        from absa_plugin.rating.parquet_reviews import ParquetReviews

        return ParquetReviews(path, names)
    if ending == ".jsonl":
        from absa_plugin.rating.json_reviews import JsonReviews

        return JsonReviews(path, names)
    from absa_plugin.rating.csv_reviews import CsvReviews

    return CsvReviews(path, names, delimiter or ("\t" if ending == ".tsv" else None), quoted)
