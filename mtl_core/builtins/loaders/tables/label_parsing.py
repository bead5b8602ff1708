"""Parsing of the cells of a label column."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from mtl_core.builtins.loaders.tables.column_stores import CodedStore, LabelStore
from mtl_core.data.column_operations import build_missing_column
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.files.cells import Cells, format_cell, split_list
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtl_core.builtins.loaders.tables.row_chunk import RowChunk
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
    """A column of labels or metadata that is filled chunk by chunk.

    Args:
        name: The column.
        parser: Parser of its cells.
        compact: Whether to store any values with little memory.
        n_rows_before: Number of rows before the first one that contains the column.
    """

    def __init__(self, name: str, parser: CellParser, compact: bool, n_rows_before: int) -> None:
        self._name = name
        self._parser = parser
        self._store: LabelStore = CodedStore(compact)
        self._store.add_categorical(build_missing_column(n_rows_before))

    def parse_cell(self, cells: Cells) -> Label | None:
        """Parse the cell of a row.

        Raises:
            MtlError: If the cell is invalid. The message names the column, not the row.
        """
        return self._parser.parse(cells.get(self._name))

    def parse_chunk(self, chunk: RowChunk) -> Sequence[Label | None]:
        """Parse the cells of a chunk: each distinct one once, if possible.

        Returns:
            The labels; a `CategoricalColumn` or a `NumericColumn`, if possible.

        Raises:
            MtlError: If a cell is invalid.
        """
        column = chunk.get_distinct(self._name)
        if isinstance(column, NumericColumn):
            return column
        if column is None:
            return [self._parser.parse(cell) for cell in chunk.get_cells(self._name)]
        labels = [self._parser.parse(cell) for cell in column.values]
        if any(isinstance(label, tuple) for label in labels):
            return [labels[code] for code in column.codes.tolist()]
        return CategoricalColumn(labels, column.codes)

    def extend(self, labels: Sequence[Label | None]) -> None:
        """Add parsed labels."""
        if isinstance(labels, CategoricalColumn):
            while not self._store.add_categorical(labels):
                self._store = self._store.widen()
        elif isinstance(labels, NumericColumn):
            while not self._store.add_numbers(labels):
                self._store = self._store.widen()
        else:
            for label in labels:
                while not self._store.add(label):
                    self._store = self._store.widen()

    def column(self) -> Sequence[Label | None]:
        """Return all labels."""
        return self._store.column()
