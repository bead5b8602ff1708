"""Reviews in Parquet files, read with pyarrow in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_core import MtlError
from mtl_ratings.readers.review_file import BadRow, FileRow, ReviewFile

BATCH_SIZE = 1024
"""Number of rows in memory at a time."""


class ParquetReviews(ReviewFile):
    """A Parquet file. Messages contain row numbers, which start at 1."""

    def read_rows(self) -> Iterator[FileRow | BadRow]:
        """Read all rows; see `ReviewFile.read_rows`.

        Raises:
            MtlError: If the file cannot be read, lacks a column, or pyarrow is not installed.
        """
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise MtlError(f'{self.path}: Parquet files need pyarrow: pip install "mtl-core[parquet]"') from error
        try:
            with parquet.ParquetFile(self.path, memory_map=True, pre_buffer=False) as file:
                self._check_columns(file.schema_arrow.names, str(self.path))
                number = 0
                for batch in file.iter_batches(BATCH_SIZE, columns=list(self.names), use_threads=False):
                    for cells in batch.to_pylist():
                        number += 1
                        yield FileRow(cells, f"{self.path}: row {number}", f"row {number}")
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise MtlError(f"{self.path}: cannot be read as Parquet: {error}") from error
