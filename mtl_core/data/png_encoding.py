"""Encoding of masks as PNG images, without Pillow."""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREYSCALE = 0
"""Colour type of the format (ISO/IEC 15948)."""


def encode_png(mask: NDArray[Any]) -> bytes:
    """Encode a mask `(height, width)`, uint8 or uint16, as a greyscale PNG image of 8 or 16 bits.

    Example:
        >>> encode_png(np.zeros((2, 3), dtype=np.uint8))[:4]
        b'\\x89PNG'
    """
    height, width = mask.shape
    bits = mask.dtype.itemsize * 8
    rows = mask.astype(mask.dtype.newbyteorder(">")).tobytes()
    row_bytes = len(rows) // height
    # Each row starts with the number of its filter: 0, none.
    scanlines = b"".join(b"\0" + rows[start : start + row_bytes] for start in range(0, len(rows), row_bytes))
    header = struct.pack(">IIBBBBB", width, height, bits, GREYSCALE, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines)), (b"IEND", b""))
    return SIGNATURE + b"".join(_encode_chunk(name, data) for name, data in chunks)


def _encode_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
