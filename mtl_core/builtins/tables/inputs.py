"""What inputs are made of: a text, a list of words, or numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.tables.files import Cells
from mtl_core.errors import MtlError, did_you_mean, listed

LARGEST = float(np.finfo(np.float32).max)
"""The largest number of 32 bits."""


class InputColumns(ABC):
    """Reads the input of a row.

    Attributes:
        names: The columns that it reads.
    """

    names: Sequence[str]

    @abstractmethod
    def read(self, cells: Cells) -> object:
        """Make the input.

        Raises:
            MtlError: If there is none, or it is of another type. The message names the column, not the row.
        """

    @abstractmethod
    def size(self, value: Any) -> int:
        """How long an input is."""

    @abstractmethod
    def from_text(self, text: str) -> object:
        """Make an input of a text that somebody typed.

        Raises:
            MtlError: If there is nothing in it, or inputs are no texts.
        """


class TextInputs(InputColumns):
    """The texts of one column, stripped."""

    def __init__(self, name: str) -> None:
        self.names = [name]

    def read(self, cells: Cells) -> str:
        """Take the text."""
        name = self.names[0]
        cell = input_cell(cells, name)
        if not isinstance(cell, str):
            raise MtlError(f"column '{name}': expected a text, found {shown(cell)}")
        text = cell.strip()
        if not text:
            raise MtlError(f"column '{name}': the text is empty")
        return text

    def size(self, value: str) -> int:
        """Its characters."""
        return len(value)

    def from_text(self, text: str) -> str:
        """Take the text."""
        text = text.strip()
        if not text:
            raise MtlError("the text is empty")
        return text


class WordInputs(InputColumns):
    """The lists of words of one column.

    Args:
        name: The column.
        separator: What divides words in cells that are texts.
    """

    def __init__(self, name: str, separator: str) -> None:
        self.names = [name]
        self._separator = separator

    def read(self, cells: Cells) -> tuple[str, ...]:
        """Take the words, which may not be empty."""
        name = self.names[0]
        cell = input_cell(cells, name)
        words = split_list(cell, self._separator) if isinstance(cell, str) else cell
        if not isinstance(words, list):
            raise MtlError(f"column '{name}': expected a list of words, found {shown(cell)}")
        if not words:
            raise MtlError(f"column '{name}': the list of words is empty")
        for place, word in enumerate(words, start=1):
            if not isinstance(word, str) or not word.strip():
                raise MtlError(f"column '{name}': expected a word in place {place}, found {shown(word)}")
        return tuple(words)

    def size(self, value: tuple[str, ...]) -> int:
        """Its words."""
        return len(value)

    def from_text(self, text: str) -> tuple[str, ...]:
        """Divide a text at white space."""
        words = tuple(text.split())
        if not words:
            raise MtlError("the text is empty")
        return words


class NumberInputs(InputColumns):
    """The numbers of several columns, one after the other.

    Args:
        names: The columns; a cell is a number or a list of them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def read(self, cells: Cells) -> NDArray[np.float32]:
        """Make an array `(numbers,)`, float32."""
        numbers: list[float] = []
        for name in self.names:
            cell = input_cell(cells, name)
            if isinstance(cell, list):
                numbers += [number_in(member, name) for member in cell]
            else:
                numbers.append(number_in(cell, name))
        return np.array(numbers, dtype=np.float32)

    def size(self, value: NDArray[np.float32]) -> int:
        """Its numbers."""
        return len(value)

    def from_text(self, text: str) -> object:
        """Refuse."""
        raise MtlError(
            f"the inputs of this run are numbers ({listed(self.names)}), not texts; give a table with these columns"
        )


def input_cell(cells: Cells, name: str) -> object:
    """Take a cell that must be there.

    Raises:
        MtlError: If it is not.
    """
    cell = cells.get(name)
    if cell is None:
        if name in cells:
            raise MtlError(f"column '{name}': there is nothing")
        raise MtlError(f"no column '{name}'{did_you_mean(name, cells)} (columns: {listed(cells)})")
    return cell


def number_in(cell: object, name: str) -> float:
    """Read a number that 32 bits can hold.

    Raises:
        MtlError: If the cell holds something else.
    """
    try:
        # Python's float() would take 1_000, and int() 1_0; nobody writes numbers like that into a table.
        number = (
            float(cell) if isinstance(cell, int | float) or (isinstance(cell, str) and "_" not in cell) else None
        )
    except (ValueError, OverflowError):
        number = None
    if number is None or isinstance(cell, bool) or not math.isfinite(number):
        raise MtlError(f"column '{name}': expected a number, found {shown(cell)}")
    if abs(number) > LARGEST:
        raise MtlError(f"column '{name}': the number {number:g} is too large")
    return number


def split_list(text: str, separator: str) -> list[Any]:
    """Divide a cell into members, white space around them removed; an empty cell has none."""
    if separator == " ":
        return text.split()
    text = text.strip()
    return [member.strip() for member in text.split(separator)] if text else []


def shown(cell: object) -> str:
    """A cell for a message, cut short."""
    if cell is None:
        return "nothing"
    if isinstance(cell, dict):
        return "an object"
    try:
        text = "an empty text" if cell == "" else repr(cell)
    except RecursionError:
        return "lists within lists"
    return text if len(text) <= 60 else f"{text[:60]}…"
