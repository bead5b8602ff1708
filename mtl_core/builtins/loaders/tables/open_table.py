"""The choice of the reader of a table by its file extension."""

from __future__ import annotations

from pathlib import Path

from mtl_core.builtins.loaders.tables.table_file import TableFile
from mtl_core.data.files.extensions import validate_extension
from mtl_core.errors import MtlError


def open_table(path: Path, delimiter: str | None, quoted: bool) -> TableFile:
    """Open a table of any format.

    Raises:
        MtlError: If its extension is not supported, it cannot be read, or it has no valid header.
    """
    extension = validate_extension(path)
    if not path.is_file():
        raise MtlError(f"{path}: no such file")
    if extension == ".parquet":
        from mtl_core.builtins.loaders.tables.parquet_file import ParquetFile

        return ParquetFile(path)
    if extension == ".jsonl":
        from mtl_core.builtins.loaders.tables.json_lines_file import JsonLinesFile

        return JsonLinesFile(path)
    from mtl_core.builtins.loaders.tables.csv_file import CsvFile

    return CsvFile(path, delimiter or ("\t" if extension == ".tsv" else ","), quoted)
