"""The output folder of a tracker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mtl_core.errors import MtlError

OutputFolder = Annotated[Path, Field(strict=False)]


def create_writable_folder(folder: Path) -> Path:
    """Create a folder and return its absolute path.

    Raises:
        MtlError: If the folder cannot be created or is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MtlError(f"{folder}: the folder cannot be created: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MtlError(f"{folder}: the folder is not writable")
    return folder.resolve()
