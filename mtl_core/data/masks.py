"""Masks: labels with one class or one number (or vector) per pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.mask_files import read_mask_file, read_mask_shape
from mtl_core.errors import MtlError

ImageSize = tuple[int, int]
"""Height and width in pixels."""


class Mask:
    """A mask in memory, as a label; a label that is a text is the path of a mask instead.

    Two masks are equal only if they are the same object, so that label columns can be searched quickly.

    Args:
        array: `(height, width)`, or with channels last, any numeric dtype.

    Example:
        >>> Mask(np.zeros((2, 3), dtype=np.uint8))
        Mask of 2 x 3 pixels
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __repr__(self) -> str:
        return f"Mask of {' x '.join(map(str, self.array.shape[:2]))} pixels"


@dataclass(frozen=True)
class MaskReader:
    """Reads the masks of a task.

    Attributes:
        folder: The folder that relative paths start at; None for the working directory.
        channels: Numbers per pixel.
        resize: Whether masks of another size than the images are resized to the nearest pixel.
    """

    folder: Path | None = None
    channels: int = 1
    resize: bool = False

    def check_size(self, label: object, size: ImageSize) -> None:
        """Check that a mask exists and has the size of its image, without reading its pixels.

        Raises:
            MtlError: If it does not; the message names the file.
        """
        shape = label.array.shape if isinstance(label, Mask) else read_mask_shape(self._find_path(label))
        self._check_shape(label, shape, size)

    def read(self, label: object, size: ImageSize | None = None) -> NDArray[Any]:
        """Read a mask.

        Args:
            label: A path or a `Mask`.
            size: The size of the image; None to accept any size, without resizing.

        Returns:
            `(height, width)`, or `(height, width, channels)` for several channels, any numeric dtype.

        Raises:
            MtlError: If it is missing, damaged or of the wrong shape; the message names the file.
        """
        array = label.array if isinstance(label, Mask) else read_mask_file(self._find_path(label))
        if array.dtype.kind not in "biuf":
            raise MtlError(f"{describe_mask(label)}: an array of {array.dtype}, expected numbers")
        mask_size = self._check_shape(label, array.shape, size)
        array = self._move_channels(array)
        if size is None or mask_size == size:
            return array
        return array[_find_nearest(mask_size[0], size[0])[:, None], _find_nearest(mask_size[1], size[1])]

    def _find_path(self, label: object) -> Path:
        if not isinstance(label, str):
            raise MtlError(f"the label {label!r:.60} is not a mask, expected the path of a file or an array")
        path = Path(label)
        return path if self.folder is None else self.folder / path

    def _move_channels(self, array: NDArray[Any]) -> NDArray[Any]:
        """Remove a channel dimension of 1, or move several channels to the end."""
        if self.channels == 1:
            return array if array.ndim == 2 else array[:, :, 0] if array.shape[-1] == 1 else array[0]
        return array if array.shape[-1] == self.channels else np.moveaxis(array, 0, -1)

    def _check_shape(self, label: object, shape: tuple[int, ...], size: ImageSize | None) -> ImageSize:
        """Return the size of a mask of this shape."""
        if (len(shape) == 2 and self.channels == 1) or (len(shape) == 3 and shape[-1] == self.channels):
            mask_size = (shape[0], shape[1])
        elif len(shape) == 3 and shape[0] == self.channels:
            mask_size = (shape[1], shape[2])
        else:
            expected = "(height, width)" if self.channels == 1 else f"(height, width, {self.channels})"
            raise MtlError(f"{describe_mask(label)}: a mask of shape {tuple(shape)}, expected {expected}")
        if not mask_size[0] or not mask_size[1]:
            raise MtlError(f"{describe_mask(label)}: a mask without pixels")
        if size is not None and mask_size != size and not self.resize:
            raise MtlError(
                f"{describe_mask(label)}: a mask of {mask_size[0]} x {mask_size[1]} pixels (height x width), but the "
                f"network reads images of {size[0]} x {size[1]}; set `kind.resize: nearest` to resize masks"
            )
        return mask_size


def describe_mask(label: object) -> str:
    """Return the name of a mask for a message: its path, or its size."""
    return label if isinstance(label, str) else repr(label)


def _find_nearest(length: int, new_length: int) -> NDArray[np.int64]:
    """Return the index of the pixel nearest to the centre of each new pixel, `(new_length,)`."""
    return ((np.arange(new_length) * 2 + 1) * length // (2 * new_length)).astype(np.int64)
