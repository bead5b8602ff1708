"""A folder that a tracker writes into."""

import os
from pathlib import Path

from mtl_core.errors import MtlError


def writable(folder: Path) -> Path:
    """Make a folder, with an absolute path.

    Raises:
        MtlError: If it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MtlError(f"{folder}: the folder cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MtlError(f"{folder}: the folder cannot be written")
    return folder.resolve()
