"""The choice of the reader by file extension."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtl_core import MtlError
from mtl_core.data import validate_extension
from mtl_ratings.readers.csv_file import CsvReviews
from mtl_ratings.readers.json_lines_file import JsonLinesReviews
from mtl_ratings.readers.parquet_file import ParquetReviews
from mtl_ratings.readers.review_file import ReviewFile


def open_reviews(path: Path, names: Sequence[str], delimiter: str | None = None, quoted: bool = True) -> ReviewFile:
    """Open a file of reviews; the file extension determines its format.

    Args:
        path: The file.
        names: The columns to read.
        delimiter: The delimiter of CSV files; None detects it from the header.
        quoted: Whether quotation marks enclose cells of CSV files.

    Raises:
        MtlError: If the file does not exist, or its extension is not that of a table.
    """
    extension = validate_extension(path)
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    if extension == ".parquet":
        return ParquetReviews(path, names)
    if extension == ".jsonl":
        return JsonLinesReviews(path, names)
    return CsvReviews(path, names, delimiter or ("\t" if extension == ".tsv" else None), quoted)
