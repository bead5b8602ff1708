"""Reviews in CSV and TSV files."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absa_plugin.rating.files import BadRow, FileRow, ReviewFile, bad_line
from mtl_core.builtins.tables.csv_file import flaw
from mtl_core.builtins.tables.lines import Lines
from mtl_core.errors import MtlError, listed

DELIMITERS = (",", ";", "\t", "|")
"""The delimiters that are detected from the header."""
LONGEST_CELL = 2**23
"""Maximum number of characters per cell; a longer cell is an unclosed quotation mark."""


class CsvReviews(ReviewFile):
    """A CSV file with a header. Empty lines are skipped.

    After an invalid row, reading continues with the line after the row's first line, so that an unclosed quotation
    mark invalidates one row, not all following rows.

    Args:
        path: The file.
        names: The columns to read.
        delimiter: The delimiter; None detects it from the header.
        quoted: Whether quotation marks enclose cells.
    """

    def __init__(self, path: Path, names: Sequence[str], delimiter: str | None, quoted: bool) -> None:
        super().__init__(path, names)
        self._delimiter = delimiter
        self._quoted = quoted

    def rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows; see `ReviewFile.rows`."""
        try:
            with self.path.open("rb") as file:
                yield from self._rows(_Replayed(Lines(file, self.path)))
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _rows(self, lines: _Replayed) -> Iterator[FileRow | BadRow]:
        delimiter = self._delimiter or self._sniffed(lines)
        records = self._records(lines, delimiter)
        first = next(records, None)
        if first is None:
            raise MtlError(f"{self.path}: the file is empty, expected a header")
        if isinstance(first, BadRow):
            raise MtlError(str(first))
        header = [name.strip() for name in first[0]]
        self._check_columns(header, f"{self.path}:{first[1]}")
        for record in records:
            if isinstance(record, BadRow):
                yield record
                continue
            cells, place = record[0], f"{self.path}:{record[1]}"
            if len(cells) == len(header):
                yield FileRow(dict(zip(header, cells, strict=True)), place, f"line {record[1]}")
            else:
                found = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
                yield BadRow(place, f"{found}, expected {len(header)} (columns: {listed(header)})")

    def _records(self, lines: _Replayed, delimiter: str) -> Iterator[tuple[list[str], int] | BadRow]:
        """Yield the cells of each row and the number of the row's first line."""
        reader = _reader(lines, delimiter, self._quoted)
        while True:
            lines.forget()
            try:
                cells = _next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(f"{self.path}:{lines.first}", f"not valid CSV: {flaw(error)}")
                lines.back()
            except MtlError as error:  # a line that is not valid text
                yield bad_line(self.path, lines.read, error)
                lines.back()
            else:
                if cells:
                    yield cells, lines.first

    def _sniffed(self, lines: _Replayed) -> str:
        """Return the delimiter with the most required columns in the header; on a tie, with the most columns."""
        first = ""
        for first in lines:
            if first.strip():
                break
        lines.back(skip=0)
        scores = []
        for place, delimiter in enumerate(DELIMITERS):
            try:
                cells = [cell.strip() for cell in next(_reader(iter([first]), delimiter, self._quoted), [])]
            except csv.Error:
                cells = []
            wanted = sum(name in cells for name in self.names)
            scores.append((wanted, len(cells), -place))
        return DELIMITERS[-max(scores)[2]]


class _Replayed:
    """An iterator over lines that can return to the second line of the current row.

    Attributes:
        first: The number of the current row's first line.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._seen: list[tuple[int, str]] = []
        self._again: deque[tuple[int, str]] = deque()
        self.first = 1

    @property
    def read(self) -> int:
        """The number of the last line read from the file."""
        return self._lines.number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = self._again.popleft() if self._again else (self._lines.number + 1, next(self._lines))
        if not self._seen:
            self.first = number
        self._seen.append((number, line))
        return line

    def forget(self) -> None:
        """Start a new row."""
        self._seen.clear()

    def back(self, skip: int = 1) -> None:
        """Return to the start of the row, after its first `skip` lines."""
        self._again.extendleft(reversed(self._seen[skip:]))
        self._seen.clear()


def _reader(lines: Iterator[str], delimiter: str, quoted: bool) -> Any:
    if quoted:
        return csv.reader(lines, delimiter=delimiter, strict=True)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)


def _next(reader: Any) -> list[str]:
    """Read a row; raises the csv module's process-wide field size limit only for this call."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        cells: list[str] = next(reader)
    finally:
        csv.field_size_limit(before)
    return cells
