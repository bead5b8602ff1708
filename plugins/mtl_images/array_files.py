"""Images as arrays in files of NumPy's format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError

ARRAY_SUFFIX = ".npy"


def is_array_file(path: str) -> bool:
    """Return whether a file contains an array, by its name."""
    return path.lower().endswith(ARRAY_SUFFIX)


def check_array_file(path: str, max_pixels: int) -> None:
    """Read the header of a file.

    Raises:
        MtlError: If there is no such file, it contains no array, or the array has too many values.
    """
    array = _open(path)
    if array.size > 4 * max_pixels:
        raise MtlError(
            f"{path}: an array of {array.size} values; images of more than {max_pixels / 10**6:g} million pixels are "
            "refused (`max_megapixels`)"
        )


def read_array_file(path: str) -> NDArray[Any]:
    """Read an array.

    Raises:
        MtlError: If the file is missing or damaged.
    """
    return np.array(_open(path))


def _open(path: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise MtlError(f"{path}: no such image") from error
    except (OSError, ValueError, EOFError) as error:
        raise MtlError(f"{path}: not an array in NumPy's format: {error}") from error
    return array
