"""JSON Lines files: one object per line."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mtl_core.builtins.loaders.tables.line_file import LineFile
from mtl_core.builtins.loaders.tables.row_chunk import RecordChunk, RowChunk, is_full
from mtl_core.builtins.loaders.tables.table_file import Row
from mtl_core.data.files.cells import Cells
from mtl_core.errors import MtlError


class JsonLinesFile(LineFile):
    """A file of JSON objects, one per line. Empty lines are skipped.

    Args:
        path: The file.

    Raises:
        MtlError: If the file is empty.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.header = None
        with self.lines() as lines:
            if not any(line.strip() for line in lines):
                raise MtlError(f"{path}: the file is empty, expected one JSON object per line")

    @property
    def header_location(self) -> str:
        """The path of the file, which has no header."""
        return str(self.path)

    def iter_chunks(
        self, columns: Sequence[str] | None, reread_columns: Sequence[str]
    ) -> Generator[RowChunk, None, None]:
        """Read all rows.

        Raises:
            MtlError: If a line is not a JSON object, or contains a key twice.
        """
        rows: list[Row] = []
        n_cells = 0
        error: MtlError | None = None
        try:
            for row in self._iter_rows():
                if rows and is_full(n_cells, row.start - rows[0].start):
                    yield _build_chunk(rows)
                    rows, n_cells = [], 0
                rows.append(row)
                n_cells += len(row.cells)
        except MtlError as malformed_row:
            error = malformed_row
        if rows:
            yield _build_chunk(rows)
        if error is not None:
            raise error

    def list_columns(self) -> list[str]:
        """Return the keys of all rows, in the order of their first occurrence.

        Raises:
            MtlError: If a line is not a JSON object, or contains a key twice.
        """
        names: dict[str, None] = {}
        for row in self._iter_rows():
            if not row.cells.keys() <= names.keys():
                names.update(dict.fromkeys(row.cells))
        return list(names)

    def _iter_rows(self) -> Iterator[Row]:
        with self.lines() as lines:
            for line in lines:
                if not line.isspace():
                    try:
                        cells = _parse_line(line)
                    except MtlError as error:
                        raise MtlError(f"{self.format_location(lines.number)}: {error}") from error
                    yield Row(cells, lines.number, lines.start)
            self.end = lines.end

    def parse(self, data: bytes) -> Cells:
        """Parse the bytes of a row.

        Raises:
            MtlError: If they are not a valid row.
        """
        try:
            return _parse_line(data.decode())
        except (UnicodeDecodeError, MtlError) as error:
            raise MtlError(f"{self.path}: was changed while it was in use") from error


def _build_chunk(rows: Sequence[Row]) -> RecordChunk:
    return RecordChunk([row.cells for row in rows], [row.number for row in rows], [row.start for row in rows])


def _build_cells(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    cells = dict(pairs)
    if len(cells) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise MtlError(f"the key '{duplicate}' occurs twice")
    return cells


def _reject_constant(name: str) -> NoReturn:
    raise MtlError(f"not valid JSON: {name} is not a JSON number (use null for a missing one)")


_DECODER = json.JSONDecoder(object_pairs_hook=_build_cells, parse_constant=_reject_constant)


def _parse_line(line: str) -> Cells:
    try:
        cells = _DECODER.decode(line)
        if "\\ud" in line or "\\uD" in line:
            # An escape can be an unpaired surrogate, which UTF-8 cannot encode.
            json.dumps(cells, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MtlError("an escape such as \\ud800 is an unpaired surrogate") from error
    except json.JSONDecodeError as error:
        raise MtlError(f"not valid JSON: {error.msg} (character {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:
        raise MtlError(f"not valid JSON: {error}") from error
    if not isinstance(cells, dict):
        raise MtlError(f"expected a JSON object, found {line.strip()[:60]}")
    return cells
