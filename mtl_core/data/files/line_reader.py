"""Lines of a UTF-8 file, with the byte offset where each starts."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mtl_core.errors import MtlError

MAX_LINE_BYTES = 2**26
"""Maximum length of a line in bytes; a file with longer lines is not accepted as a table."""


class LineReader:
    """Iterator over decoded lines, with their line ends.

    Args:
        file: The file, positioned at its start.
        path: Its path, for messages.

    Attributes:
        number: The number of the last returned line, from 1.
        start: The byte offset where that line starts.
        end: The byte offset where it ends.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.number = 0
        bom = file.read(3)
        if bom.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise MtlError(f"{path}:1: the file is UTF-16; save it as UTF-8")
        self.start = self.end = 3 if bom == codecs.BOM_UTF8 else 0
        file.seek(self.end)
        self._file = file
        self._path = path

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data = self._file.readline(MAX_LINE_BYTES)
        if not data:
            raise StopIteration
        self.number += 1
        self.start = self.end
        self.end += len(data)
        if len(data) == MAX_LINE_BYTES:
            raise MtlError(f"{self._path}:{self.number}: the line is longer than {MAX_LINE_BYTES:,} bytes")
        if b"\0" in data:
            raise MtlError(
                f"{self._path}:{self.number}: byte {self.start + data.index(0)} is NUL, which is not valid in a"
                " text; is this a text file, saved as UTF-8?"
            )
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise MtlError(
                f"{self._path}:{self.number}: byte {self.start + error.start} (0x{data[error.start]:02x}) is not"
                " UTF-8; save the file as UTF-8"
            ) from error
