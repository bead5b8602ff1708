"""Parsing of the cells of a label column."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from mtl_core.builtins.loaders.tables.column_stores import MAX_DISTINCT_VALUES, CodedStore, LabelStore, ListStore
from mtl_core.data.files.cells import format_cell, split_list
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtl_core.data.corpus import Label, Scalar


class CellParser(Protocol):
    """Parser of the cells of one column."""

    def parse(self, cell: object) -> Label | None:
        """Return the value of a cell; None if it is missing.

        Raises:
            MtlError: If the cell is invalid. The message names the column, not the row.
        """


class LabelParser:
    """Parser of label cells.

    Args:
        name: The column.
        missing: Texts that mark a missing label.
        separator: The separator of list members in cells that are texts; None if such cells are single labels.
    """

    def __init__(self, name: str, missing: Iterable[str], separator: str | None) -> None:
        self._name = name
        self._missing = frozenset(text.strip() for text in missing)
        self._separator = separator

    def parse(self, cell: object) -> Label | None:
        """Parse a cell: texts are stripped, booleans become texts, lists become tuples.

        Raises:
            MtlError: If the cell is not a valid label. The message names the column, not the row.
        """
        if isinstance(cell, str):
            text = cell.strip()
            if text in self._missing:
                return None
            if self._separator is None:
                return self._require_text(text)
            cell = split_list(text, self._separator)
        if isinstance(cell, list):
            return tuple(self._parse_member(member) for member in cell)
        return self._parse_scalar(cell)

    def _parse_member(self, cell: object) -> Scalar | None:
        if isinstance(cell, str):
            text = cell.strip()
            return None if text in self._missing else self._require_text(text)
        return self._parse_scalar(cell)

    def _require_text(self, text: str) -> str:
        if not text:
            raise MtlError(f"column '{self._name}': the label is empty, which `missing` does not list")
        return text

    def _parse_scalar(self, cell: object) -> Scalar | None:
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if cell is None or isinstance(cell, int):
            return cell
        if isinstance(cell, float) and math.isfinite(cell):
            return cell
        raise MtlError(
            f"column '{self._name}': expected a text, a number or a list of them, found {format_cell(cell)};"
            " `labels` names the columns that are labels"
        )


class LabelColumn:
    """A column of labels or metadata that is filled row by row.

    Args:
        parser: Parser of its cells.
        compact: Whether to store the column with little memory.
        rows: Number of rows before the first one that contains the column.
    """

    def __init__(self, parser: CellParser, compact: bool, n_rows_before: int) -> None:
        self._parser = parser
        self._cache: dict[str, Label | None] = {}
        self._store: LabelStore = CodedStore() if compact else ListStore()
        for _ in range(n_rows_before):
            self._store.add(None)

    def add(self, cell: object) -> None:
        """Add the next row's cell.

        Raises:
            MtlError: If the cell is not a valid label.
        """
        if not isinstance(cell, str):
            label = self._parser.parse(cell)
        elif cell in self._cache:
            label = self._cache[cell]
        else:
            label = self._parser.parse(cell)
            if len(self._cache) < MAX_DISTINCT_VALUES:
                self._cache[cell] = label
        while not self._store.add(label):
            self._store = self._store.widen()

    def column(self) -> Sequence[Label | None]:
        """Return all labels."""
        return self._store.column()
