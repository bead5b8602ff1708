"""Conversion of arrays to bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError

N_CHANNELS = (1, 3, 4)


def convert_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert an array to an image, `(height, width, channels)`, uint8.

    Args:
        array: `(height, width)`, `(height, width, channels)`, or `(channels, height, width)` if the last dimension
            cannot be that of channels. Integers from 0 to 255, floats from 0 to 1, or booleans.

    Raises:
        MtlError: If the shape is not that of an image, or a value is out of range or not a number.
    """
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.ndim == 3 and pixels.shape[2] not in N_CHANNELS and pixels.shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] not in N_CHANNELS or 0 in pixels.shape:
        raise MtlError(
            f"an array of shape {array.shape} is no image, expected (height, width) or (height, width, channels) with "
            "1, 3 or 4 channels"
        )
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype == np.bool_:
        return np.ascontiguousarray(pixels).astype(np.uint8) * 255
    is_float = np.issubdtype(pixels.dtype, np.floating)
    if not is_float and not np.issubdtype(pixels.dtype, np.integer):
        raise MtlError(f"an array of {array.dtype} is no image, expected integers or floats")
    low, high = pixels.min(), pixels.max()
    limit = 1 if is_float else 255
    if not (low >= 0 and high <= limit):
        kind = "floats from 0 to 1" if is_float else "integers from 0 to 255"
        raise MtlError(f"an image as an array of {array.dtype} has values from {low} to {high}, expected {kind}")
    scaled = np.rint(pixels.astype(np.float64) * 255) if is_float else pixels
    return np.ascontiguousarray(scaled).astype(np.uint8)
