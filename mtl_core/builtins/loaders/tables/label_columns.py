"""The label columns of tables, their weights and the columns of metadata, collected chunk by chunk."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.builtins.loaders.tables.label_parsing import LabelColumn, LabelParser
from mtl_core.builtins.loaders.tables.metadata_parsing import MetadataParser
from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.files.cells import Cells, format_cell, parse_number
from mtl_core.errors import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.table import Table
    from mtl_core.builtins.loaders.tables.row_chunk import RowChunk
    from mtl_core.data.corpus import Label


class ParsedColumns(NamedTuple):
    """The labels, weights and metadata of a chunk, by column."""

    labels: Mapping[str, Sequence[Label | None]]
    weights: Mapping[str, NDArray[np.float32]]
    metadata: Mapping[str, Sequence[Label | None]]


class TableColumns:
    """Collector of labels, weights and metadata from one file after the other, the training file first.

    Args:
        table: Defines the columns.
        compact: Whether to store columns with little memory.
        known: The label columns of a trained run that reads a new file; None for a new run.

    Attributes:
        rows: Number of rows read so far.
        warnings: Warnings about the columns for the user.
    """

    def __init__(self, table: Table, compact: bool, label_columns: Sequence[str] | None) -> None:
        self.rows = 0
        self.warnings: list[str] = []
        self._table = table
        self._compact = compact
        self._labels: dict[str, LabelColumn] = {}
        self._weights = {name: array("f") for name in (table.weights if label_columns is None else ())}
        self._missing_weights = {"", *(text.strip() for text in table.missing)}
        self._metadata = {
            name: LabelColumn(name, MetadataParser(name, table.missing), compact, 0)
            for name in (table.metadata if label_columns is None else ())
        }
        self._seen_columns: dict[str, None] = {}
        self._has_header = False
        self._declared_labels = table.labels if label_columns is None else label_columns
        self._infers_labels = self._declared_labels is None
        for name in self._declared_labels or ():
            self._add_column(name)

    @property
    def columns_to_read(self) -> list[str] | None:
        """The columns to read; None for all."""
        return None if self._infers_labels else [*self._labels, *self._table.reserved_columns]

    def start_file(self, file: TableFile, is_training: bool) -> None:
        """Validate a file's header, if it has one.

        Raises:
            MtlError: If a required column is missing.
        """
        self._seen_columns = {}
        self._has_header = file.header is not None
        if file.header is not None:
            self._record_columns(file.header)
            self._validate_required(file, is_training)

    def start_chunk(self, chunk: RowChunk) -> None:
        """Record the columns of rows without a header."""
        if not self._has_header:
            for cells, _, _ in chunk.iter_rows():
                if not cells.keys() <= self._seen_columns.keys():
                    self._record_columns(cells)

    def parse_chunk(self, chunk: RowChunk) -> ParsedColumns:
        """Parse the labels, weights and metadata of a chunk.

        Raises:
            MtlError: If a cell is invalid. `check_row` finds the first one.
        """
        return ParsedColumns(
            {name: column.parse_chunk(chunk) for name, column in self._labels.items()},
            {name: self._parse_weights(chunk, self._table.weights[name]) for name in self._weights},
            {name: column.parse_chunk(chunk) for name, column in self._metadata.items()},
        )

    def check_row(self, cells: Cells) -> None:
        """Parse the labels, weights and metadata of a row.

        Raises:
            MtlError: If a cell is invalid. The message names the column, not the row.
        """
        for column in self._labels.values():
            column.parse_cell(cells)
        for name in self._weights:
            self._parse_weight(cells.get(self._table.weights[name]), self._table.weights[name])
        for metadata in self._metadata.values():
            metadata.parse_cell(cells)

    def add(self, parsed: ParsedColumns, n_rows: int) -> None:
        """Add the parsed columns of a chunk."""
        for name, labels in parsed.labels.items():
            self._labels[name].extend(labels)
        for name, weights in parsed.weights.items():
            self._weights[name].frombytes(weights.tobytes())
        for name, cells in parsed.metadata.items():
            self._metadata[name].extend(cells)
        self.rows += n_rows

    def finish_file(self, file: TableFile, is_training: bool) -> None:
        """Validate the columns of a file after its last row.

        Raises:
            MtlError: If a required column occurs in no row.
        """
        if not self._has_header:
            self._validate_required(file, is_training)
        if is_training:
            self._infers_labels = False
            self._validate_keys("weights", self._table.weights, [*self._labels], file)
            self._validate_keys("lists", self._table.lists, [*self._labels, *self._table.list_inputs], file)

    def labels(self) -> dict[str, Sequence[Label | None]]:
        """Return the labels of each column."""
        return {name: column.column() for name, column in self._labels.items()}

    def weights(self) -> dict[str, Sequence[float]]:
        """Return the weights of each weighted label column."""
        return dict(self._weights)

    def metadata(self) -> dict[str, Sequence[object]]:
        """Return the cells of each column of metadata."""
        return {name: column.column() for name, column in self._metadata.items()}

    def _add_column(self, name: str) -> None:
        parser = LabelParser(name, self._table.missing, self._table.lists.get(name))
        self._labels[name] = LabelColumn(name, parser, self._compact, self.rows)

    def _record_columns(self, names: Iterable[str]) -> None:
        """Record existing columns; in a training file, add those without another use as label columns."""
        for name in names:
            if name and name not in self._seen_columns:
                self._seen_columns[name] = None
                if self._infers_labels and name not in self._table.reserved_columns:
                    self._add_column(name)

    def _validate_required(self, file: TableFile, is_training: bool) -> None:
        table = self._table
        required = [*table.input_names]
        if is_training:
            required += [*(self._declared_labels or ()), *(name for name in (table.id, table.split) if name)]
            required += [*table.weights.values(), *table.metadata]
        for name in required:
            if name not in self._seen_columns:
                raise MtlError(f"{file.header_location}: {self._format_missing_column(name)}")
        if not is_training:
            missing_columns = [name for name in self._labels if name not in self._seen_columns]
            self.warnings += self._describe_missing_labels(missing_columns, file)
            if table.id and table.id not in self._seen_columns:
                self.warnings.append(f"{file.path.name}: {self._format_missing_column(table.id)}; ids are row numbers")

    def _describe_missing_labels(self, missing_columns: Sequence[str], file: TableFile) -> list[str]:
        """Return a warning per label column that a file lacks; one for all of them if it lacks many."""
        if has_many_tasks(len(missing_columns)):
            return [
                f"{file.path.name}: {len(missing_columns)} of {len(self._labels)} label columns are missing "
                f"({join_names(missing_columns, 5)})"
            ]
        return [
            f"{file.path.name}: {self._format_missing_column(name)}; these labels are missing"
            for name in missing_columns
        ]

    def _format_missing_column(self, name: str) -> str:
        hint = did_you_mean(name, self._seen_columns)
        return f"no column '{name}'{hint} (columns: {join_names(self._seen_columns)})"

    def _validate_keys(self, key: str, names: Iterable[str], known: Sequence[str], file: TableFile) -> None:
        for name in names:
            if name not in known:
                raise MtlError(
                    f"{file.header_location}: `{key}` names '{name}', which is not a label column"
                    f"{did_you_mean(name, known)} (label columns: {join_names(known)})"
                )

    def _parse_weights(self, chunk: RowChunk, name: str) -> NDArray[np.float32]:
        """Return the weights of a chunk, `(rows,)`, float32."""
        numbers = chunk.get_numbers(name)
        if numbers is None or numbers.ndim > 1 or (numbers < 0).any():
            return np.array([self._parse_weight(cell, name) for cell in chunk.get_cells(name)], dtype=np.float32)
        return numbers.astype(np.float32)

    def _parse_weight(self, cell: object, name: str) -> float:
        if cell is None or (isinstance(cell, str) and cell.strip() in self._missing_weights):
            return 1.0
        weight = parse_number(cell, name)
        if weight < 0:
            raise MtlError(f"column '{name}': expected a weight of at least 0, found {format_cell(cell)}")
        return weight
