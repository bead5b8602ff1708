"""Tables in text files, compressed or not, whose rows can be read again by byte offset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.files.compression import (
    decompress,
    estimate_content_size,
    is_compressed,
    open_binary,
    translate_gzip_errors,
)
from mtl_core.data.files.line_reader import LineReader
from mtl_core.errors import MtlError


class LineFile(TableFile):
    """A table in a text file, whose rows can be read again by byte offset."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._translate_errors():
            self._file_state = _get_file_state(path.stat())
            self._size = estimate_content_size(path)

    @property
    def size(self) -> int:
        """The size of the text in bytes."""
        return self._size

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
            if is_compressed(self.path):
                file.close()
                return decompress(self.path)
        return file

    @contextmanager
    def lines(self) -> Iterator[LineReader]:
        """Read the file from its start.

        Raises:
            MtlError: If the file cannot be read.
        """
        with self._translate_errors(), open_binary(self.path) as file:
            yield LineReader(file, self.path)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            with translate_gzip_errors(self.path):
                yield
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be read: {error.strerror}") from error


def _get_file_state(stat_result: os.stat_result) -> tuple[int, int]:
    return stat_result.st_size, stat_result.st_mtime_ns
