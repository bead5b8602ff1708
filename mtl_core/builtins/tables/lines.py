"""Lines of a UTF-8 file, with the byte offset where each starts."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mtl_core.builtins.tables.files import TableFile
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


class LineFile(TableFile):
    """A table in a text file, whose rows can be read again by byte offset."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._translate_errors():
            self._file_state = _get_file_state(path.stat())

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self._file_state[0]

    def open(self) -> BinaryIO:
        """Open the file again.

        Raises:
            MtlError: If the file changed since it was first read.
        """
        with self._translate_errors():
            file = self.path.open("rb")
            if _get_file_state(os.fstat(file.fileno())) != self._file_state:
                file.close()
                raise MtlError(f"{self.path}: was changed while it was in use")
        return file

    @contextmanager
    def lines(self) -> Iterator[LineReader]:
        """Read the file from its start.

        Raises:
            MtlError: If the file cannot be read.
        """
        with self._translate_errors(), self.path.open("rb") as file:
            yield LineReader(file, self.path)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be read: {error.strerror}") from error


def _get_file_state(stat_result: os.stat_result) -> tuple[int, int]:
    return stat_result.st_size, stat_result.st_mtime_ns
