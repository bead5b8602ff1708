"""Readers of inputs: a text, a list of words, numbers, or a row of cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.array_rows import ArrayRows, stack_rows
from mtl_core.data.column_types import parse_input_cell
from mtl_core.data.files.cells import Cells, format_cell, parse_number, require_cell, split_list
from mtl_core.errors import MtlError, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.tables.row_chunk import RowChunk


class InputReader(ABC):
    """Base class of readers of a row's input.

    Attributes:
        names: The columns to read.
    """

    names: Sequence[str]

    @abstractmethod
    def read(self, cells: Cells, folder: Path) -> object:
        """Return the input of a row.

        Args:
            cells: The cells.
            folder: The folder that relative paths in cells are resolved against.

        Raises:
            MtlError: If it is missing or of another type. The message names the column, not the row.
        """

    def read_chunk(self, chunk: RowChunk, folder: Path) -> Sequence[Any]:
        """Return the inputs of a chunk of rows.

        Raises:
            MtlError: If one is missing or of another type. `read` finds the first one.
        """
        columns = [chunk.get_cells(name) for name in self.names]
        return [self.read(dict(zip(self.names, cells, strict=True)), folder) for cells in zip(*columns, strict=True)]

    def concatenate(self, chunks: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """Return the inputs of all chunks."""
        return list(chain(*chunks))

    @abstractmethod
    def size(self, value: Any) -> int:
        """Return the length of an input."""

    @abstractmethod
    def from_text(self, text: str) -> object:
        """Convert a text that a user typed to an input.

        Raises:
            MtlError: If the text is empty, or inputs are not texts.
        """


class TextInputReader(InputReader):
    """The texts of one column, stripped."""

    def __init__(self, name: str) -> None:
        self.names = [name]

    def read(self, cells: Cells, folder: Path) -> str:
        """Return the stripped text."""
        name = self.names[0]
        cell = require_cell(cells, name)
        if not isinstance(cell, str):
            raise MtlError(f"column '{name}': expected a text, found {format_cell(cell)}")
        text = cell.strip()
        if not text:
            raise MtlError(f"column '{name}': the text is empty")
        return text

    def size(self, value: str) -> int:
        """Return the number of characters."""
        return len(value)

    def from_text(self, text: str) -> str:
        """Return the stripped text."""
        text = text.strip()
        if not text:
            raise MtlError("the text is empty")
        return text


class WordInputReader(InputReader):
    """The lists of words of one column.

    Args:
        name: The column.
        separator: The separator of words in cells that are texts.
    """

    def __init__(self, name: str, separator: str) -> None:
        self.names = [name]
        self._separator = separator

    def read(self, cells: Cells, folder: Path) -> tuple[str, ...]:
        """Return the words, none of which may be empty."""
        name = self.names[0]
        cell = require_cell(cells, name)
        words = split_list(cell, self._separator) if isinstance(cell, str) else cell
        if not isinstance(words, list):
            raise MtlError(f"column '{name}': expected a list of words, found {format_cell(cell)}")
        if not words:
            raise MtlError(f"column '{name}': the list of words is empty")
        for position, word in enumerate(words, start=1):
            if not isinstance(word, str) or not word.strip():
                raise MtlError(f"column '{name}': expected a word at position {position}, found {format_cell(word)}")
        return tuple(words)

    def size(self, value: tuple[str, ...]) -> int:
        """Return the number of words."""
        return len(value)

    def from_text(self, text: str) -> tuple[str, ...]:
        """Split a text at white space."""
        words = tuple(text.split())
        if not words:
            raise MtlError("the text is empty")
        return words


class NumberInputReader(InputReader):
    """The numbers of several columns, concatenated.

    Args:
        names: The columns; a cell is a number or a list of them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def read(self, cells: Cells, folder: Path) -> NDArray[np.float32]:
        """Return an array `(numbers,)`, float32."""
        numbers: list[float] = []
        for name in self.names:
            cell = require_cell(cells, name)
            if isinstance(cell, list):
                numbers += [parse_number(member, name) for member in cell]
            else:
                numbers.append(parse_number(cell, name))
        return np.array(numbers, dtype=np.float32)

    def read_chunk(self, chunk: RowChunk, folder: Path) -> Sequence[NDArray[np.float32]]:
        """Return the arrays of a chunk, as the rows of one table if they have equal width."""
        columns = []
        for name in self.names:
            numbers = chunk.get_numbers(name)
            if numbers is None:
                return stack_rows(super().read_chunk(chunk, folder))
            columns.append(numbers.reshape(len(chunk), -1))
        table = np.empty((len(chunk), sum(column.shape[1] for column in columns)), dtype=np.float32)
        start = 0
        for column in columns:
            table[:, start : start + column.shape[1]] = column
            start += column.shape[1]
        return ArrayRows(table)

    def concatenate(self, chunks: Sequence[Sequence[NDArray[np.float32]]]) -> Sequence[NDArray[np.float32]]:
        """Return the arrays of all chunks, as the rows of one table if they have equal width."""
        tables = [chunk.table for chunk in chunks if isinstance(chunk, ArrayRows)]
        if tables and len(tables) == len(chunks) and len({table.shape[1] for table in tables}) == 1:
            return ArrayRows(np.concatenate(tables) if len(tables) > 1 else tables[0])
        return list(chain(*chunks))

    def size(self, value: NDArray[np.float32]) -> int:
        """Return the number of values."""
        return len(value)

    def from_text(self, text: str) -> object:
        """Raise an error: numbers cannot be read from a text."""
        raise MtlError(
            f"the inputs of this run are numbers ({join_names(self.names)}), not texts; pass a table with these columns"
        )


class RowInputReader(InputReader):
    """The cells of several columns.

    Args:
        input_types: Column to type.
        separators: Column to the separator of members in cells that are texts.
        missing: Texts that mark a missing cell, as an empty text does.
    """

    def __init__(self, input_types: Mapping[str, str], separators: Mapping[str, str], missing: Sequence[str]) -> None:
        self.names = list(input_types)
        self._input_types = input_types
        self._separators = separators
        self._missing = {text.strip() for text in missing}

    def read(self, cells: Cells, folder: Path) -> dict[str, object]:
        """Return column to cell; None for a missing cell."""
        row: dict[str, object] = {}
        for name, column_type in self._input_types.items():
            cell = cells.get(name)
            if isinstance(cell, str) and cell.strip() in self._missing:
                cell = None
            row[name] = parse_input_cell(cell, name, column_type, self._separators.get(name))
            if column_type == "image":
                row[name] = _resolve_path(row[name], folder)
        return row

    def size(self, value: dict[str, object]) -> int:
        """Return the number of characters of the longest text; 1 if there is none."""
        texts = [value[name] for name, column_type in self._input_types.items() if column_type == "text"]
        return max([1, *(len(text) for text in texts if isinstance(text, str))])

    def from_text(self, text: str) -> dict[str, object]:
        """Return the row of a text, if the only column contains texts."""
        if list(self._input_types.values()) != ["text"]:
            raise MtlError(
                f"the inputs of this run are rows with the columns {join_names(self.names)}, not texts; pass a table "
                "(.csv, .jsonl) or JSON objects with these columns"
            )
        if not text.strip():
            raise MtlError("the text is empty")
        return {self.names[0]: text.strip()}


def _resolve_path(cell: object, folder: Path) -> object:
    """Return the absolute path of an image; data URLs and images in memory are returned as they are."""
    if not isinstance(cell, str) or cell.startswith("data:") or "://" in cell:
        return cell
    return str(folder.absolute() / cell)
