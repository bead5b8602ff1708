"""The label columns of tables and their weights, collected row by row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mtl_core.builtins.tables.files import Cells, TableFile
from mtl_core.builtins.tables.inputs import number_in, shown
from mtl_core.builtins.tables.labels import LabelCells, LabelColumn
from mtl_core.errors import MtlError, did_you_mean, listed

if TYPE_CHECKING:
    from mtl_core.builtins.table import Table
    from mtl_core.data.corpus import Label


class TableColumns:
    """Collector of labels and weights from one file after the other, the training file first.

    Args:
        table: Defines the columns.
        compact: Whether to store columns with little memory.
        known: The label columns of a trained run that reads a new file; None for a new run.

    Attributes:
        rows: Number of rows read so far.
        findings: Warnings about the columns for the user.
    """

    def __init__(self, table: Table, compact: bool, known: Sequence[str] | None) -> None:
        self.rows = 0
        self.findings: list[str] = []
        self._table = table
        self._compact = compact
        self._labels: dict[str, LabelColumn] = {}
        self._weights = {name: array("f") for name in (table.weights if known is None else ())}
        self._no_weight = {"", *(text.strip() for text in table.missing)}
        self._seen: dict[str, None] = {}
        self._headed = False
        self._named = table.labels if known is None else known
        self._open = self._named is None
        for name in self._named or ():
            self._add_column(name)

    @property
    def wanted(self) -> list[str] | None:
        """The columns to read; None for all."""
        return None if self._open else [*self._labels, *self._table.reserved]

    def begin(self, file: TableFile, training: bool) -> None:
        """Validate a file's header, if it has one.

        Raises:
            MtlError: If a required column is missing.
        """
        self._seen = {}
        self._headed = file.header is not None
        if file.header is not None:
            self._see(file.header)
            self._check(file, training)

    def add(self, cells: Cells) -> None:
        """Add the labels and weights of a row.

        Raises:
            MtlError: If a cell is invalid. The message names the column, not the row.
        """
        if not self._headed and not cells.keys() <= self._seen.keys():
            self._see(cells)
        for name, column in self._labels.items():
            column.add(cells.get(name))
        for name, weights in self._weights.items():
            weights.append(self._weight(cells, self._table.weights[name]))
        self.rows += 1

    def end(self, file: TableFile, training: bool) -> None:
        """Validate the columns of a file after its last row.

        Raises:
            MtlError: If a required column occurs in no row.
        """
        if not self._headed:
            self._check(file, training)
        if training:
            self._open = False
            words = [self._table.words] if self._table.words else []
            self._check_keys("weights", self._table.weights, [*self._labels], file)
            self._check_keys("lists", self._table.lists, [*self._labels, *words], file)

    def labels(self) -> dict[str, Sequence[Label | None]]:
        """Return the labels of each column."""
        return {name: column.column() for name, column in self._labels.items()}

    def weights(self) -> dict[str, Sequence[float]]:
        """Return the weights of each weighted label column."""
        return dict(self._weights)

    def _add_column(self, name: str) -> None:
        cells = LabelCells(name, self._table.missing, self._table.lists.get(name))
        self._labels[name] = LabelColumn(cells, self._compact, self.rows)

    def _see(self, names: Iterable[str]) -> None:
        """Record existing columns; in a training file, add those without another use as label columns."""
        for name in names:
            if name and name not in self._seen:
                self._seen[name] = None
                if self._open and name not in self._table.reserved:
                    self._add_column(name)

    def _check(self, file: TableFile, training: bool) -> None:
        table = self._table
        required = [*table.input_names]
        if training:
            required += [*(self._named or ()), *(name for name in (table.id, table.part) if name)]
            required += table.weights.values()
        for name in required:
            if name not in self._seen:
                raise MtlError(f"{file.top}: {self._lacks(name)}")
        if not training:
            lacking = [name for name in self._labels if name not in self._seen]
            self.findings += [
                f"{file.path.name}: {self._lacks(name)}; these labels are missing" for name in lacking
            ]
            if table.id and table.id not in self._seen:
                self.findings.append(f"{file.path.name}: {self._lacks(table.id)}; ids are row numbers")

    def _lacks(self, name: str) -> str:
        return f"no column '{name}'{did_you_mean(name, self._seen)} (columns: {listed(self._seen)})"

    def _check_keys(self, key: str, names: Iterable[str], known: Sequence[str], file: TableFile) -> None:
        for name in names:
            if name not in known:
                raise MtlError(
                    f"{file.top}: `{key}` names '{name}', which is not a label column{did_you_mean(name, known)}"
                    f" (label columns: {listed(known)})"
                )

    def _weight(self, cells: Cells, name: str) -> float:
        cell = cells.get(name)
        if cell is None or (isinstance(cell, str) and cell.strip() in self._no_weight):
            return 1.0
        weight = number_in(cell, name)
        if weight < 0:
            raise MtlError(f"column '{name}': expected a weight of at least 0, found {shown(cell)}")
        return weight
