"""The tables `metadata.csv` and `metadata.jsonl` of image folders."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core import MtlError, did_you_mean, join_names
from mtl_core.data import LineReader, allow_long_cells, build_csv_reader, explain_csv_error

if TYPE_CHECKING:
    from mtl_core import Label

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"
"""The column of paths."""


@dataclass(frozen=True)
class MetadataRow:
    """A row of the table.

    Attributes:
        location: File and line, for messages.
        file_name: The path of the image in the folder.
        labels: Label column to label; None for a missing label.
    """

    location: str
    file_name: str
    labels: Mapping[str, Label | None]


def read_metadata(path: Path) -> list[MetadataRow]:
    """Read a table.

    Raises:
        MtlError: If it cannot be read, has no column `file_name`, or a row is malformed.
    """
    try:
        with path.open("rb") as file:
            lines = LineReader(file, path)
            rows = list(_read_csv(path, lines) if path.suffix == ".csv" else _read_json_lines(path, lines))
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error.strerror}") from error
    if not rows:
        raise MtlError(f"{path}: contains no row")
    return _parse_numbers(rows) if path.suffix == ".csv" else rows


def _read_csv(path: Path, lines: LineReader) -> Iterator[MetadataRow]:
    reader = build_csv_reader(lines, ",", quoted=True)
    with allow_long_cells():
        try:
            header: list[str] = next(reader, [])
            _check_columns(path, header)
            for cells in reader:
                location = f"{path}:{lines.number}"
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise MtlError(f"{location}: {len(cells)} cells, expected {len(header)}, as in the header")
                row = dict(zip(header, cells, strict=True))
                file_name = row.pop(FILE_NAME)
                yield MetadataRow(location, file_name, {name: cell or None for name, cell in row.items()})
        except csv.Error as error:
            raise MtlError(f"{path}:{lines.number}: {explain_csv_error(error)}") from error


def _read_json_lines(path: Path, lines: LineReader) -> Iterator[MetadataRow]:
    for line in lines:
        location = f"{path}:{lines.number}"
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MtlError(f"{location}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise MtlError(f"{location}: expected an object, found {line.strip()[:40]}")
        _check_columns(Path(location), list(row))
        file_name = row.pop(FILE_NAME)
        if not isinstance(file_name, str):
            raise MtlError(f"{location}: `{FILE_NAME}` must be a text, found {file_name!r}")
        yield MetadataRow(location, file_name, row)


def _check_columns(location: Path, columns: Sequence[str]) -> None:
    if FILE_NAME not in columns:
        hint = did_you_mean(FILE_NAME, columns)
        raise MtlError(f"{location}: no column `{FILE_NAME}`{hint} (columns: {join_names(columns)})")
    if len(set(columns)) < len(columns):
        duplicate = next(name for name in columns if list(columns).count(name) > 1)
        raise MtlError(f"{location}: two columns are named '{duplicate}'")


def _parse_numbers(rows: Sequence[MetadataRow]) -> list[MetadataRow]:
    """Convert the cells of columns that contain only numbers."""
    columns = {name: [row.labels[name] for row in rows] for name in rows[0].labels}
    parsed = {name: _parse_column(values) for name, values in columns.items()}
    return [
        MetadataRow(row.location, row.file_name, {name: values[index] for name, values in parsed.items()})
        for index, row in enumerate(rows)
    ]


def _parse_column(cells: Sequence[Any]) -> Sequence[Any]:
    for convert in (int, float):
        try:
            return [None if cell is None else convert(cell) for cell in cells]
        except ValueError:
            continue
    return cells
