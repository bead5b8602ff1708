"""Files of masks: arrays (`.npy`) and images (`.png` and others, with Pillow)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from PIL import Image

ARRAY_SUFFIX = ".npy"
MAX_PIXELS = 50_000_000
"""Largest number of pixels of a mask; a compressed image of a few kilobytes can declare billions of them."""
ONE_CHANNEL_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's names of the modes that have one number per pixel; that of "P" is the index of a colour."""


def read_mask_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of a mask without reading its pixels: `(height, width)` or with channels.

    Raises:
        MtlError: If the file is missing or damaged; the message names it.
    """
    if path.suffix.lower() == ARRAY_SUFFIX:
        return _open_array(path).shape
    with _open_image(path) as image:
        return (image.height, image.width)


def read_mask_file(path: Path) -> NDArray[Any]:
    """Read a mask: `(height, width)` or with channels, any numeric dtype.

    Raises:
        MtlError: If the file is missing, damaged, or not a mask; the message names it.
    """
    if path.suffix.lower() == ARRAY_SUFFIX:
        return np.array(_open_array(path))
    with _open_image(path) as image:
        if image.mode not in ONE_CHANNEL_MODES:
            raise MtlError(
                f"{path}: an image of mode {image.mode}, expected one number per pixel: greyscale of 8 or 16 bits, or "
                "a palette whose indices are the classes"
            )
        return np.array(image)


def _open_array(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise MtlError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise MtlError(f"{path}: not an array in NumPy's format: {error}") from error
    if array.dtype.kind not in "biuf":
        raise MtlError(f"{path}: an array of {array.dtype}, expected numbers")
    if array.size > MAX_PIXELS * 4:
        raise MtlError(f"{path}: {array.size} numbers, expected at most {MAX_PIXELS} pixels")
    return array


@contextmanager
def _open_image(path: Path) -> Iterator[Image.Image]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MtlError(f'{path}: images need Pillow: pip install "mtl-core[images]"') from error
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a mask' if path.is_dir() else 'no such file'}")
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise MtlError(f"{path}: {image.width} x {image.height} pixels, expected at most {MAX_PIXELS}")
            yield image
    except UnidentifiedImageError as error:
        raise MtlError(f"{path}: not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MtlError(f"{path}: a damaged image: {error}") from error
