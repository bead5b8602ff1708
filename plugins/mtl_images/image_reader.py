"""Reading of images: files, Pillow's images and arrays become bytes of one size."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError, describe_missing_packages, did_you_mean
from mtl_core.data import check_local_files_allowed
from mtl_images.array_files import check_array_file, is_array_file, read_array_file
from mtl_images.convert_array import convert_array
from mtl_images.image_options import N_CHANNELS, ColorMode, Resize

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The file formats that are read. Others of Pillow run external programs, or are rare."""
WHITE = (255, 255, 255, 255)
SIXTEEN_BIT_MODES = ("I", "I;16", "I;16B", "I;16L")
DATA_URL = "data:image/"
MAX_SIBLINGS = 10_000
"""Number of files of a folder that are compared with a wrong name."""


class ImageReader:
    """Reads images as `(channels, height, width)`, uint8.

    Args:
        size: (height, width) of the result.
        resize: How images of other sizes are resized; `none` refuses them.
        color_mode: `rgb` or `grayscale`.
        max_megapixels: Largest number of pixels of an image, in millions.
    """

    def __init__(self, size: tuple[int, int], resize: Resize, color_mode: ColorMode, max_megapixels: float) -> None:
        self.size = size
        self.n_channels = N_CHANNELS[color_mode]
        self._resize = resize
        self._mode = "RGB" if color_mode == "rgb" else "L"
        self._max_pixels = round(max_megapixels * 10**6)

    @property
    def image_bytes(self) -> int:
        """The memory that an image needs, in bytes."""
        return self.n_channels * self.size[0] * self.size[1]

    def find_file(self, value: object) -> str | None:
        """Return the path of an input that is a file; None for an image in memory.

        Raises:
            MtlError: If a text is a URL of the web, or a client of a server names a file.
        """
        if not isinstance(value, str | Path) or str(value).startswith(DATA_URL):
            return None
        check_local_files_allowed("an image as a data URL (data:image/png;base64,...)")
        value = str(value)
        if "://" in value:
            raise MtlError(f"the encoder 'image' reads files, found the URL {value}; download the image first")
        return value

    def check_file(self, path: str) -> None:
        """Read the header of a file.

        Not for use in several threads, since it changes the filters of warnings.

        Raises:
            MtlError: If there is no such file, it is no image, or it is too large.
        """
        if is_array_file(path):
            check_array_file(path, self._max_pixels)
            return
        require_pillow()
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below, by `max_megapixels`
            with self._open(path, path) as image:
                self._check_size(image, path)

    def read_file(self, path: str) -> NDArray[np.uint8]:
        """Decode a file.

        Raises:
            MtlError: If the file is missing, damaged, or of another size than declared.
        """
        if is_array_file(path):
            array = read_array_file(path)
            try:
                return self._read_array(array)
            except MtlError as error:
                raise MtlError(f"{path}: {error}") from error
        with self._open(path, path) as image:
            return self._convert(image, path)

    def read(self, value: object) -> NDArray[np.uint8]:
        """Read an image in memory: an image of Pillow, the bytes of a file, a data URL, or an array.

        Raises:
            MtlError: If the value is none of these, or damaged.
        """
        if isinstance(value, str):
            value = _decode_data_url(value)
        if isinstance(value, bytes):
            with self._open(io.BytesIO(value), "an image in memory") as image:
                return self._convert(image, "an image in memory")
        if hasattr(value, "convert") and hasattr(value, "resize"):
            return self._convert(value, "an image in memory")
        if hasattr(value, "__array__"):
            return self._read_array(np.asarray(value))
        raise MtlError(
            f"the encoder 'image' reads paths of image files, images of Pillow and arrays, found {_describe(value)}"
        )

    def _read_array(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        pixels = convert_array(array)
        height, width, n_channels = pixels.shape
        if (height, width, n_channels) == (*self.size, self.n_channels):
            return np.ascontiguousarray(pixels.transpose(2, 0, 1))
        require_pillow()
        from PIL import Image

        image = Image.fromarray(pixels[:, :, 0] if n_channels == 1 else pixels)
        return self._convert(image, f"an array of shape {array.shape}")

    @contextmanager
    def _open(self, source: str | io.BytesIO, name: str) -> Iterator[Image.Image]:
        require_pillow()
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(source, formats=FORMATS) as image:
                yield image
        except MtlError:
            raise
        except FileNotFoundError as error:
            raise MtlError(f"{name}: no such image{_suggest_sibling(Path(name))}") from error
        except IsADirectoryError as error:
            raise MtlError(f"{name}: expected an image, found a folder") from error
        except UnidentifiedImageError as error:
            formats = ", ".join(FORMATS)
            raise MtlError(f"{name}: not an image, or not of a format that is read ({formats})") from error
        except Image.DecompressionBombError as error:
            raise MtlError(f"{name}: {self._describe_limit()} ({error})") from error
        except Exception as error:  # Pillow's decoders raise many types of errors for damaged files
            raise MtlError(f"{name}: the image is damaged and cannot be decoded: {error}") from error

    def _check_size(self, image: Image.Image, name: str) -> None:
        if image.width * image.height > self._max_pixels:
            raise MtlError(f"{name}: {image.width} x {image.height} pixels; {self._describe_limit()}")
        if not image.width or not image.height:
            raise MtlError(f"{name}: the image has no pixels")

    def _describe_limit(self) -> str:
        return f"images of more than {self._max_pixels / 10**6:g} million pixels are refused (`max_megapixels`)"

    def _convert(self, image: Image.Image, name: str) -> NDArray[np.uint8]:
        from PIL import ImageOps

        self._check_size(image, name)
        n_frames = getattr(image, "n_frames", 1)
        if n_frames > 1 and image.format != "MPO":  # photos of phones, whose first frame is the picture
            raise MtlError(f"{name}: an animation or a file of {n_frames} images, expected one image")
        if self._resize == "stretch" and image.format == "JPEG":  # decodes a smaller version, which is faster
            image.draft(None, (2 * self.size[1], 2 * self.size[0]))
        image = self._convert_mode(ImageOps.exif_transpose(image), name)
        return self._to_pixels(self._fit_size(image, name))

    def _convert_mode(self, image: Image.Image, name: str) -> Image.Image:
        from PIL import Image

        if image.mode in SIXTEEN_BIT_MODES:
            values = np.asarray(image).astype(np.int64)
            if values.min() < 0 or values.max() > 2**16 - 1:
                raise MtlError(f"{name}: values from {values.min()} to {values.max()}, expected 16 bits or fewer")
            image = Image.fromarray((values // 257).astype(np.uint8))
        if image.mode == "F":
            raise MtlError(f"{name}: an image of floating-point numbers, expected integers of 8 or 16 bits")
        if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
        try:
            return image if image.mode == self._mode else image.convert(self._mode)
        except ValueError as error:
            raise MtlError(f"{name}: the color mode {image.mode} cannot be converted to {self._mode}") from error

    def _fit_size(self, image: Image.Image, name: str) -> Image.Image:
        from PIL import Image, ImageOps

        height, width = self.size
        if image.size == (width, height):
            return image
        if self._resize == "none":
            raise MtlError(
                f"{name}: {image.height} x {image.width} pixels (height x width), expected {height} x {width}, since "
                "`resize` is `none`"
            )
        if self._resize == "crop":
            return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        return image.resize((width, height), Image.Resampling.BILINEAR)

    def _to_pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        pixels = np.asarray(image, dtype=np.uint8)
        channels = pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return np.array(channels, order="C")


def require_pillow() -> None:
    """Require that Pillow is installed.

    Raises:
        MtlError: If it is not; the message contains the command that installs it.
    """
    if message := describe_missing_packages({"PIL": "'mtl-core[images]'"}):
        raise MtlError(f"the encoder 'image' {message}")


def _decode_data_url(url: str) -> bytes:
    header, comma, content = url.partition(",")
    try:
        if not comma or not header.endswith(";base64"):
            raise ValueError("expected `;base64,` before the content")
        return base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error) as error:
        raise MtlError(f"an image as a data URL cannot be decoded: {error}") from error


def _describe(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _suggest_sibling(path: Path) -> str:
    try:
        siblings = [sibling.name for sibling, _ in zip(path.parent.iterdir(), range(MAX_SIBLINGS), strict=False)]
    except OSError:
        return ""
    return did_you_mean(path.name, siblings)
