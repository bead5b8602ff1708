"""CSV and TSV files."""

from __future__ import annotations

import csv
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from mtl_core.builtins.loaders.tables.line_file import LineFile
from mtl_core.builtins.loaders.tables.row_chunk import RowChunk, TextChunk, is_full
from mtl_core.builtins.loaders.tables.table_file import validate_header
from mtl_core.data.files.cells import Cells
from mtl_core.data.files.csv_reading import allow_long_cells, build_csv_reader, explain_csv_error
from mtl_core.errors import MtlError, join_names


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

    def iter_chunks(
        self, columns: Sequence[str] | None, reread_columns: Sequence[str]
    ) -> Generator[RowChunk, None, None]:
        """Read all rows.

        Raises:
            MtlError: If a row has too many or too few cells, or is not valid CSV.
        """
        rows = _RowBuffer()
        error: MtlError | None = None
        with closing(self._iter_records()) as records:
            next(records)
            try:
                for cells, number, start in records:
                    if len(cells) != len(self.header):
                        raise MtlError(
                            f"{self.format_location(number)}: {_pluralize(len(cells), 'cell')}, "
                            f"expected {len(self.header)} (columns: {join_names(self.header)})"
                        )
                    if rows.cells and is_full(len(rows.cells) * len(cells), start - rows.starts[0]):
                        yield rows.build_chunk(self.header)
                        rows = _RowBuffer()
                    rows.cells.append(cells)
                    rows.numbers.append(number)
                    rows.starts.append(start)
            except MtlError as malformed_row:
                error = malformed_row
        if rows.cells:
            yield rows.build_chunk(self.header)
        if error is not None:
            raise error

    def parse(self, data: bytes) -> Cells:
        """Parse the bytes of a row.

        Raises:
            MtlError: If they are not a valid row.
        """
        try:
            with allow_long_cells():
                cells = next(build_csv_reader([data.decode()], self._delimiter, self._quoted))
            return dict(zip(self.header, cells, strict=True))
        except (csv.Error, ValueError, StopIteration) as error:
            raise MtlError(f"{self.path}: was changed while it was in use") from error

    def _iter_records(self) -> Generator[tuple[list[str], int, int], None, None]:
        """Yield the cells of each row, header included, with the line and the byte offset where the row starts."""
        with self.lines() as lines, allow_long_cells():
            reader = build_csv_reader(lines, self._delimiter, self._quoted)
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


class _RowBuffer:
    """The rows of the next chunk."""

    def __init__(self) -> None:
        self.cells: list[list[str]] = []
        self.numbers: list[int] = []
        self.starts: list[int] = []

    def build_chunk(self, header: Sequence[str]) -> TextChunk:
        return TextChunk(header, self.cells, self.numbers, self.starts)


def _format_csv_error(error: csv.Error, quoted: bool) -> str:
    message = explain_csv_error(error)
    hint = "; set `quoted: false` if quotation marks enclose no cells in this file"
    return message + (hint if quoted and "quotation" in message else "")


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
