"""Files compressed with gzip, read like the files that they contain."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mtl_core.errors import MtlError

COMPRESSED_EXTENSION = ".gz"


def is_compressed(path: Path) -> bool:
    """Return whether a file is compressed, by its extension."""
    return path.suffix.lower() == COMPRESSED_EXTENSION


def open_binary(path: Path) -> BinaryIO:
    """Open a file, or the content of a compressed one; it is read from its start."""
    return cast(BinaryIO, gzip.open(path, "rb")) if is_compressed(path) else path.open("rb")


def decompress(path: Path) -> BinaryIO:
    """Return the content of a compressed file as a temporary file without a name, in which any position is found fast.

    Raises:
        MtlError: If the file is not valid gzip.
    """
    target = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
    try:
        with translate_gzip_errors(path), gzip.open(path, "rb") as source:
            shutil.copyfileobj(source, target)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return cast(BinaryIO, target)


def estimate_content_size(path: Path) -> int:
    """Return the size of the content in bytes; of a compressed file, the last four bytes contain it modulo 2³²."""
    size = path.stat().st_size
    if not is_compressed(path) or size < 4:
        return size
    with path.open("rb") as file:
        file.seek(-4, 2)
        return max(size, int.from_bytes(file.read(4), "little"))


@contextmanager
def translate_gzip_errors(path: Path) -> Iterator[None]:
    """Raise an `MtlError` for a file that is not valid gzip."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MtlError(f"{path}: is not a valid gzip file, or is cut off: {error}") from error
