"""Inputs of large tables, read from their files on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.loaders.tables.input_readers import InputReader
from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.stored_inputs import StoredInputs
from mtl_core.errors import MtlError


class StoredRows:
    """The rows of one file.

    Args:
        table: The file.
        starts: `(rows + 1,)`: the byte offset where each row starts, and the one where the last row ends.
    """

    def __init__(self, table: TableFile, offsets: NDArray[np.int64]) -> None:
        self._table = table
        self._offsets = offsets
        self._file: BinaryIO | None = None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def read(self, row: int, inputs: InputReader) -> object:
        """Read the input of a row.

        Raises:
            MtlError: If the file changed since it was first read.
        """
        if self._file is None:
            self._file = self._table.open()
        start, end = int(self._offsets[row]), int(self._offsets[row + 1])
        try:
            self._file.seek(start)
            data = self._file.read(end - start)
        except OSError as error:
            raise MtlError(f"{self._table.path}: cannot be read: {error.strerror}") from error
        return inputs.read(self._table.parse(data), self._table.path.parent)


class TableInputs(StoredInputs):
    """The inputs of one or several large files.

    Args:
        files: The files' rows.
        inputs: The reader of inputs.
        sizes: `(rows,)`: the length of each input.
    """

    def __init__(self, files: Sequence[StoredRows], inputs: InputReader, sizes: NDArray[np.int32]) -> None:
        self._files = files
        self._inputs = inputs
        self._sizes = sizes

    @property
    def sizes(self) -> NDArray[np.int32]:
        """The length of each input, `(rows,)`."""
        return self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def get_row(self, row: int) -> object:
        """Return the input of a row, read from its file."""
        for file in self._files:
            if row < len(file):
                return file.read(row, self._inputs)
            row -= len(file)
        raise IndexError(row)
