"""Build a corpus from tables in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_core.builtins.loaders.tables.label_parsing import LabelColumn, LabelParser
from mtl_core.builtins.loaders.tables.metadata_parsing import MetadataParser
from mtl_core.builtins.loaders.tables.row_chunk import ColumnChunk
from mtl_core.data.column_types import parse_input_row
from mtl_core.data.columns import RowNumbers
from mtl_core.data.corpus import SPLIT_NAMES, Corpus, Label, Scalar, SplitName
from mtl_core.errors import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.memory import Memory
    from mtl_core.data.memory_tables import MemoryTables
    from mtl_core.data.python_tables import Columns


def build_memory_corpus(loader: Memory, tables: MemoryTables) -> Corpus:
    """Build a corpus.

    Args:
        loader: Defines the columns.
        tables: The tables.

    Raises:
        MtlError: If a column is missing, or a cell is invalid; the message names table, row and column.
    """
    tables_by_split = dict(tables.splits)
    for split_name, columns in tables_by_split.items():
        _check_columns(loader, columns, split_name)
    sizes = [len(next(iter(columns.values()))) for columns in tables_by_split.values()]
    locations = [
        f"{split_name} table, row {row}"
        for split_name, size in zip(tables_by_split, sizes, strict=True)
        for row in range(size)
    ]
    return Corpus(
        ids=_read_ids(loader, tables_by_split, sizes, locations),
        inputs=_read_inputs(loader, tables_by_split, locations),
        labels={name: _read_labels(loader, name, tables_by_split, locations) for name in loader.labels},
        splits=_read_splits(loader, tables_by_split, sizes, locations),
        locations=locations,
        weights={
            name: [1.0 if cell is None else cell for cell in _concatenate(tables_by_split, column)]
            for name, column in loader.weights.items()
        },
        metadata={name: _read_metadata(loader, name, tables_by_split, locations) for name in loader.metadata},
        disclaimer=loader.disclaimer,
    )


def _check_columns(loader: Memory, columns: Columns, split_name: SplitName) -> None:
    is_training = split_name == "train"
    optional = [] if is_training else [*loader.labels, *loader.weights.values()]
    required = [*loader.inputs, *loader.labels, *loader.metadata, *loader.weights.values()]
    required += [name for name in (loader.id, loader.split if is_training else None) if name is not None]
    for name in required:
        if name not in columns and name not in optional:
            raise MtlError(
                f"the {split_name} table has no column '{name}'{did_you_mean(name, columns)} "
                f"(columns: {join_names(columns)})"
            )


def _concatenate(tables_by_split: dict[SplitName, Columns], name: str) -> list[Any]:
    """Return a column of all tables; None for a table that has no such column."""
    cells: list[Any] = []
    for columns in tables_by_split.values():
        cells += columns.get(name) or [None] * len(next(iter(columns.values())))
    return cells


def _iterate_rows(tables_by_split: dict[SplitName, Columns], names: Sequence[str]) -> Iterator[dict[str, object]]:
    for cells in zip(*(_concatenate(tables_by_split, name) for name in names), strict=True):
        yield dict(zip(names, cells, strict=True))


@contextmanager
def _add_location(location: str) -> Iterator[None]:
    """Add the location of a row to the message of an `MtlError`."""
    try:
        yield
    except MtlError as error:
        raise MtlError(f"{location}: {error}") from error


def _read_inputs(
    loader: Memory, tables_by_split: dict[SplitName, Columns], locations: Sequence[str]
) -> list[dict[str, object]]:
    inputs = []
    for location, row in zip(locations, _iterate_rows(tables_by_split, list(loader.inputs)), strict=True):
        with _add_location(location):
            inputs.append(parse_input_row(row, loader.inputs))
    return inputs


def _read_metadata(
    loader: Memory, name: str, tables_by_split: dict[SplitName, Columns], locations: Sequence[str]
) -> list[Scalar | None]:
    parser = MetadataParser(name, loader.missing)
    cells = []
    for location, cell in zip(locations, _concatenate(tables_by_split, name), strict=True):
        with _add_location(location):
            cells.append(parser.parse(cell))
    return cells


def _read_labels(
    loader: Memory, name: str, tables_by_split: dict[SplitName, Columns], locations: Sequence[str]
) -> Sequence[Label | None]:
    parser = LabelParser(name, loader.missing, None)
    cells = _concatenate(tables_by_split, name)
    if not any(isinstance(cell, np.ndarray) for cell in cells):
        column = LabelColumn(name, parser, False, 0)
        try:
            column.extend(column.parse_chunk(ColumnChunk({name: cells}, len(cells))))
        except MtlError:  # the location is found below
            pass
        else:
            return column.column()
    labels: list[Label | None] = []
    for location, cell in zip(locations, cells, strict=True):
        if isinstance(cell, np.ndarray):
            cell = cell.tolist() if cell.ndim == 1 else cell
        if isinstance(cell, np.ndarray):  # a mask: one label per pixel
            labels.append(cell)  # type: ignore[arg-type]
            continue
        with _add_location(location):
            labels.append(parser.parse(cell))
    return labels


def _read_splits(
    loader: Memory, tables_by_split: dict[SplitName, Columns], sizes: Sequence[int], locations: Sequence[str]
) -> list[SplitName]:
    splits: list[SplitName] = [name for name, size in zip(tables_by_split, sizes, strict=True) for _ in range(size)]
    if loader.split is None:
        return splits
    for row, cell in enumerate(tables_by_split["train"][loader.split]):
        if cell not in SPLIT_NAMES:
            hint = did_you_mean(cell, SPLIT_NAMES) if isinstance(cell, str) else ""
            raise MtlError(
                f"{locations[row]}: column '{loader.split}': expected {join_names(SPLIT_NAMES)}, found {cell!r}{hint}"
            )
        splits[row] = cell
    return splits


def _read_ids(
    loader: Memory, tables_by_split: dict[SplitName, Columns], sizes: Sequence[int], locations: Sequence[str]
) -> Sequence[str]:
    if loader.id is None:
        return RowNumbers(*sizes)
    cells = _concatenate(tables_by_split, loader.id)
    if None in cells:
        raise MtlError(f"{locations[cells.index(None)]}: column '{loader.id}': the id is missing")
    return [str(cell) for cell in cells]
