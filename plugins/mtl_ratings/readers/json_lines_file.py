"""Reviews in JSON Lines files, one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mtl_core import MtlError
from mtl_core.data import LineReader
from mtl_ratings.readers.review_file import BadRow, FileRow, ReviewFile, build_bad_row


class JsonLinesReviews(ReviewFile):
    """A file of one JSON object per line. Empty lines are skipped; the first object must have all keys."""

    def read_rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows; see `ReviewFile.read_rows`."""
        try:
            with self.path.open("rb") as file:
                yield from self._read_rows(LineReader(file, self.path))
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _read_rows(self, lines: LineReader) -> Iterator[FileRow | BadRow]:
        first = True
        while True:
            try:
                line = next(lines)
            except StopIteration:
                return
            except MtlError as error:  # a line that is not valid text
                yield build_bad_row(self.path, lines.number, error)
                continue
            if line.isspace():
                continue
            row = _parse_row(line, f"{self.path}:{lines.number}", f"line {lines.number}")
            if first and isinstance(row, FileRow):
                self._check_columns(list(row.cells), row.location)
                first = False
            yield row


def _parse_row(line: str, location: str, short_location: str) -> FileRow | BadRow:
    try:
        cells = json.loads(line)
        if "\\ud" in line or "\\uD" in line:
            json.dumps(cells, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return BadRow(location, "an escape such as \\ud800 is half a character (a lone surrogate)")
    except json.JSONDecodeError as error:
        return BadRow(location, f"not valid JSON: {error.msg} (character {error.pos + 1})")
    except (ValueError, RecursionError) as error:
        return BadRow(location, f"not valid JSON: {error}")
    if not isinstance(cells, dict):
        return BadRow(location, f"expected a JSON object, found {line.strip()[:60]}")
    return FileRow(cells, location, short_location)
