"""Encoding of masks and small images as PNG, without Pillow."""

import struct
import zlib
from typing import Any

from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREYSCALE, RGB = 0, 2
"""Colour types of the format (ISO/IEC 15948)."""


def encode_png(image: NDArray[Any]) -> bytes:
    """Encode an image as PNG: `(height, width)`, uint8 or uint16, in greyscale, or `(height, width, 3)`, uint8, in RGB.

    Example:
        >>> import numpy as np
        >>> encode_png(np.zeros((2, 3), dtype=np.uint8))[1:4]
        b'PNG'
    """
    height, width = image.shape[:2]
    bits, color = image.dtype.itemsize * 8, GREYSCALE if image.ndim == 2 else RGB
    rows = image.astype(image.dtype.newbyteorder(">")).tobytes()
    row_bytes = len(rows) // height
    # Each row starts with the number of its filter: 0, none.
    scanlines = b"".join(b"\0" + rows[start : start + row_bytes] for start in range(0, len(rows), row_bytes))
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines)), (b"IEND", b""))
    return SIGNATURE + b"".join(_encode_chunk(name, data) for name, data in chunks)


def _encode_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
