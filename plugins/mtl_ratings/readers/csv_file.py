"""Reviews in CSV and TSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtl_core import MtlError, join_names
from mtl_core.data import LineReader, allow_long_cells, build_csv_reader, explain_csv_error
from mtl_ratings.readers.review_file import BadRow, FileRow, ReviewFile, build_bad_row
from mtl_ratings.readers.rewindable_lines import RewindableLines

DELIMITERS = (",", ";", "\t", "|")
"""The delimiters that are detected from the header."""
MAX_CELL_CHARACTERS = 2**23
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

    def read_rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows; see `ReviewFile.read_rows`."""
        try:
            with self.path.open("rb") as file:
                yield from self._read_rows(RewindableLines(LineReader(file, self.path)))
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _read_rows(self, lines: RewindableLines) -> Iterator[FileRow | BadRow]:
        delimiter = self._delimiter or self._sniff_delimiter(lines)
        records = self._read_records(lines, delimiter)
        first_record = next(records, None)
        if first_record is None:
            raise MtlError(f"{self.path}: the file is empty, expected a header")
        if isinstance(first_record, BadRow):
            raise MtlError(str(first_record))
        header = [name.strip() for name in first_record[0]]
        self._check_columns(header, f"{self.path}:{first_record[1]}")
        for record in records:
            if isinstance(record, BadRow):
                yield record
                continue
            cells, location = record[0], f"{self.path}:{record[1]}"
            if len(cells) == len(header):
                yield FileRow(dict(zip(header, cells, strict=True)), location, f"line {record[1]}")
            else:
                cell_count = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
                yield BadRow(location, f"{cell_count}, expected {len(header)} (columns: {join_names(header)})")

    def _read_records(self, lines: RewindableLines, delimiter: str) -> Iterator[tuple[list[str], int] | BadRow]:
        """Yield the cells of each row and the number of the row's first line."""
        reader = build_csv_reader(lines, delimiter, self._quoted)
        while True:
            lines.start_row()
            try:
                with allow_long_cells(MAX_CELL_CHARACTERS):
                    cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(f"{self.path}:{lines.first_line_number}", f"not valid CSV: {explain_csv_error(error)}")
                lines.rewind()
            except MtlError as error:  # a line that is not valid text
                yield build_bad_row(self.path, lines.last_line_number, error)
                lines.rewind()
            else:
                if cells:
                    yield cells, lines.first_line_number

    def _sniff_delimiter(self, lines: RewindableLines) -> str:
        """Return the delimiter with the most required columns in the header; on a tie, with the most columns."""
        first_line = ""
        for first_line in lines:
            if first_line.strip():
                break
        lines.rewind(skip=0)
        scores = []
        for index, delimiter in enumerate(DELIMITERS):
            try:
                cells = [
                    cell.strip() for cell in next(build_csv_reader(iter([first_line]), delimiter, self._quoted), [])
                ]
            except csv.Error:
                cells = []
            n_matches = sum(name in cells for name in self.names)
            scores.append((n_matches, len(cells), -index))
        return DELIMITERS[-max(scores)[2]]
