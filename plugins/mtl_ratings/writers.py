"""Writers of ratings, one per file extension."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtl_core import MtlError, did_you_mean, join_names, write_atomically, write_text_atomically
from mtl_ratings.flat_table import COLUMNS, build_rows, format_csv
from mtl_ratings.json_record import build_ratings_record
from mtl_ratings.provenance import Provenance
from mtl_ratings.ratings import Ratings


def check_outputs(paths: Sequence[Path]) -> None:
    """Validate the output paths before the expensive prediction.

    Raises:
        MtlError: If an extension is unknown, a folder is missing, a file is named twice, or pyarrow is required and
            not installed.
    """
    for path in paths:
        extension = path.suffix.lower()
        if extension not in WRITERS:
            hint = did_you_mean(extension, WRITERS) if extension else ""
            description = f"the file extension '{extension}'" if extension else "a missing file extension"
            raise MtlError(
                f"--out {path}: {description} is not supported for ratings{hint} (supported: {join_names(WRITERS)})"
            )
        if not path.parent.is_dir():
            raise MtlError(f"--out {path}: the folder {path.parent} does not exist")
        if path.is_dir():
            raise MtlError(f"--out {path}: is a folder, expected a file")
        if paths.count(path) > 1:
            raise MtlError(f"--out {path}: is named twice")
        if extension == ".parquet":
            _import_pyarrow(path)


def write_ratings(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    """Write ratings to a file, atomically.

    Raises:
        MtlError: If the file cannot be written.
    """
    WRITERS[path.suffix.lower()](ratings, provenance, path)


def _write_csv(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    write_text_atomically(path, format_csv(ratings))


def _write_json(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    text = json.dumps(build_ratings_record(ratings, provenance), ensure_ascii=False, indent=1, allow_nan=False)
    write_text_atomically(path, text + "\n")


def _write_parquet(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    pyarrow = _import_pyarrow(path)
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(column.name, types[column.type]) for column in COLUMNS])
    table = pyarrow.Table.from_pylist(build_rows(ratings), schema=schema)
    from pyarrow import parquet

    write_atomically(path, lambda temporary: parquet.write_table(table, temporary))


def _import_pyarrow(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MtlError(f'--out {path}: Parquet files need pyarrow: pip install "mtl-core[parquet]"') from error
    return pyarrow


def _write_page(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    from mtl_ratings.page import render_page

    write_text_atomically(path, render_page(ratings, provenance))


def _write_chart(ratings: Ratings, provenance: Provenance, path: Path) -> None:
    from mtl_ratings.chart import write_chart

    write_chart(ratings, provenance, path)


WRITERS: dict[str, Callable[[Ratings, Provenance, Path], None]] = {
    ".html": _write_page,
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
    ".png": _write_chart,
    ".svg": _write_chart,
    ".pdf": _write_chart,
}
"""File extension to the function that writes the format."""
