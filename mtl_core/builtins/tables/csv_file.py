"""CSV and TSV files."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mtl_core.builtins.tables.files import Cells, Row, validate_header
from mtl_core.builtins.tables.lines import LineFile
from mtl_core.errors import MtlError, join_names

MAX_CELL_CHARACTERS = 2**24
"""Maximum length of a cell in characters; beyond it, a quotation mark is assumed to be unclosed."""

_ERROR_MESSAGES = {
    "unexpected end of data": "a quotation mark opens a cell that is never closed",
    "expected after": "a quotation mark within a quoted cell must be doubled, and a cell ends with its last one",
    "new-line character": "the line contains a carriage return; lines must end with a line feed",
    "field larger": f"a cell is longer than {MAX_CELL_CHARACTERS:,} characters; is a quotation mark never closed?",
}
"""Mapping from a part of the csv module's message to the message shown."""


class CsvFile(LineFile):
    """A CSV file with a header. Empty lines are skipped.

    Args:
        path: The file.
        delimiter: The delimiter of cells.
        quoted: Whether quotation marks enclose cells.

    Raises:
        MtlError: If there is no header, or it contains a name twice.
    """

    header: Sequence[str]

    def __init__(self, path: Path, delimiter: str, quoted: bool) -> None:
        super().__init__(path)
        self._delimiter = delimiter
        self._quoted = quoted
        with closing(self._iter_records()) as records:
            header_record = next(records, None)
        if header_record is None:
            raise MtlError(f"{path}: the file is empty, expected a header")
        cells, number, _ = header_record
        self._header_line = number
        self.header = [name.strip() for name in cells]
        validate_header(self.header, self.header_location)

    @property
    def header_location(self) -> str:
        """The location of the header."""
        return self.format_location(self._header_line)

    def iter_rows(self, columns: Sequence[str] | None, reread_columns: Sequence[str]) -> Generator[Row, None, None]:
        """Read all rows.

        Raises:
            MtlError: If a row has too many or too few cells, or is not valid CSV.
        """
        with closing(self._iter_records()) as records:
            next(records)
            for cells, number, start in records:
                if len(cells) != len(self.header):
                    raise MtlError(
                        f"{self.format_location(number)}: {_pluralize(len(cells), 'cell')}, expected {len(self.header)}"
                        f" (columns: {join_names(self.header)})"
                    )
                yield Row(dict(zip(self.header, cells, strict=True)), number, start)

    def parse(self, data: bytes) -> Cells:
        """Parse the bytes of a row.

        Raises:
            MtlError: If they are not a valid row.
        """
        try:
            with _allow_long_cells():
                cells = next(self._build_reader([data.decode()]))
            return dict(zip(self.header, cells, strict=True))
        except (csv.Error, ValueError, StopIteration) as error:
            raise MtlError(f"{self.path}: was changed while it was in use") from error

    def _iter_records(self) -> Generator[tuple[list[str], int, int], None, None]:
        """Yield the cells of each row, header included, with the line and the byte offset where the row starts."""
        with self.lines() as lines, _allow_long_cells():
            reader = self._build_reader(lines)
            while True:
                number, start = lines.number + 1, lines.end
                try:
                    cells = next(reader)
                except StopIteration:
                    break
                except csv.Error as error:
                    raise MtlError(
                        f"{self.path}:{number}: not valid CSV: {_format_csv_error(error, self._quoted)}"
                    ) from error
                if cells:
                    yield cells, number, start
            self.end = lines.end

    def _build_reader(self, lines: Iterable[str]) -> Any:
        if self._quoted:
            return csv.reader(lines, delimiter=self._delimiter, strict=True)
        return csv.reader(lines, delimiter=self._delimiter, quoting=csv.QUOTE_NONE, strict=True)


@contextmanager
def _allow_long_cells() -> Iterator[None]:
    """Raise the csv module's process-wide limit of 131,072 characters per cell."""
    previous_limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(previous_limit)


def explain_csv_error(error: csv.Error) -> str:
    """Return a helpful message for an error of the csv module."""
    return next(
        (message for csv_message, message in _ERROR_MESSAGES.items() if csv_message in str(error)), str(error)
    )


def _format_csv_error(error: csv.Error, quoted: bool) -> str:
    message = explain_csv_error(error)
    hint = "; set `quoted: false` if quotation marks enclose no cells in this file"
    return message + (hint if quoted and "quotation" in message else "")


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
