"""Files that are either written whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from mtl_core.errors import MtlError


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place.

    Raises:
        MtlError: If the disk is full or the place cannot be written; nothing is left behind.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise MtlError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except Exception as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) or "(os error " in str(error):  # safetensors has an error class of its own
            raise MtlError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text.

    Raises:
        MtlError: If the disk is full or the place cannot be written.
    """
    write_atomically(path, lambda temporary: _write(temporary, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
