"""Atomic file writes: a file is written completely or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from mtl_core.errors import MtlError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a temporary file next to `path` with `write`, then rename it to `path`.

    Raises:
        MtlError: If the disk is full or the path cannot be written; no temporary file remains.
    """
    try:
        descriptor, temporary_name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise MtlError(f"{path}: cannot be written: {error.strerror}") from error
    temporary_path = Path(temporary_name)
    try:
        write(temporary_path)
        temporary_path.chmod(0o666 & ~_umask())
        temporary_path.replace(path)
    except Exception as error:
        temporary_path.unlink(missing_ok=True)
        if isinstance(error, OSError) or "(os error " in str(error):  # safetensors raises its own error class
            raise MtlError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
        raise
    except BaseException:
        temporary_path.unlink(missing_ok=True)
        raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically.

    Raises:
        MtlError: If the disk is full or the path cannot be written.
    """
    write_atomically(path, lambda temporary: _write(temporary, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
