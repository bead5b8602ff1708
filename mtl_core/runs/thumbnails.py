"""Thumbnails of images, for reports."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.encoder import Encoder
from mtl_core.data.png_encoding import encode_png

MAX_SIDE = 96
"""Largest height and width of a thumbnail, in pixels."""


def build_thumbnail(encoder: Encoder[Any, Any], parsed: Any) -> str | None:
    """Return the thumbnail of an input as a data URL (`data:image/png;base64,...`); None if it is no image.

    Args:
        encoder: The encoder.
        parsed: The parsed input.
    """
    image = encoder.thumbnail(parsed)
    return None if image is None else encode_thumbnail(image)


def encode_thumbnail(image: NDArray[np.uint8]) -> str:
    """Return an image `(height, width, 1 or 3)` as a data URL, shrunk if it is large."""
    pixels = shrink(image)
    content = encode_png(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink an image `(height, width, channels)` by the smallest whole factor, to at most `MAX_SIDE` per side."""
    factor = -(-max(image.shape[:2]) // MAX_SIDE)
    if factor == 1:
        return image
    height, width = (max(1, side // factor) for side in image.shape[:2])
    blocks = image[: height * factor, : width * factor]
    blocks = blocks.reshape(height, blocks.shape[0] // height, width, blocks.shape[1] // width, image.shape[2])
    pixels: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return pixels
