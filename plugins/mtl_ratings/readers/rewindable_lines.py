"""Lines of a file that can be read again, for rows of several lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mtl_core.data import LineReader


class RewindableLines:
    """An iterator over lines that can return to the second line of the current row.

    Attributes:
        first_line_number: The number of the current row's first line.
    """

    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        self._row_lines: list[tuple[int, str]] = []
        self._pending_lines: deque[tuple[int, str]] = deque()
        self.first_line_number = 1

    @property
    def last_line_number(self) -> int:
        """The number of the last line read from the file."""
        return self._lines.number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = (
            self._pending_lines.popleft() if self._pending_lines else (self._lines.number + 1, next(self._lines))
        )
        if not self._row_lines:
            self.first_line_number = number
        self._row_lines.append((number, line))
        return line

    def start_row(self) -> None:
        """Start a new row."""
        self._row_lines.clear()

    def rewind(self, skip: int = 1) -> None:
        """Return to the start of the row, after its first `skip` lines."""
        self._pending_lines.extendleft(reversed(self._row_lines[skip:]))
        self._row_lines.clear()
