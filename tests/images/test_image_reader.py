"""Files, images of Pillow and arrays become bytes of one size; what is no image is refused by name."""

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import BLUE, GREEN, RED, write_image, write_noise
from PIL import Image as Pillow

from mtl_core import MtlError
from mtl_core.data.local_files import forbid_local_files
from mtl_images.image import Image
from mtl_images.image_reader import ImageReader


def build_reader(**keys: Any) -> ImageReader:
    reader: ImageReader = Image(**{"size": [6, 8], **keys}).build()._reader
    return reader


@pytest.mark.parametrize("extension", ["bmp", "gif", "jpg", "png", "ppm", "tiff", "webp"])
def test_formats(extension: str, tmp_path: Path) -> None:
    pixels = build_reader().read_file(write_image(tmp_path / f"image.{extension}"))
    assert pixels.shape == (3, 6, 8)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - np.array(RED).reshape(3, 1, 1)).max() < 4


def test_stretch_and_crop(tmp_path: Path) -> None:
    image = Pillow.new("RGB", (16, 8), RED)
    image.paste(BLUE, (0, 0, 4, 8))  # a stripe on the left
    image.save(tmp_path / "wide.png")
    stretched = build_reader(size=8).read_file(str(tmp_path / "wide.png"))
    assert stretched[:, 4, 0].tolist() == list(BLUE)
    cropped = build_reader(size=8, resize="crop").read_file(str(tmp_path / "wide.png"))
    assert (cropped == np.array(RED).reshape(3, 1, 1)).all()


def test_other_size_is_refused_if_declared(tmp_path: Path) -> None:
    path = write_image(tmp_path / "large.png", size=(9, 6))
    with pytest.raises(MtlError, match=r"large\.png: 6 x 9 pixels \(height x width\), expected 6 x 8, since `resize`"):
        build_reader(resize="none").read_file(path)


def test_orientation_of_photos_is_applied(tmp_path: Path) -> None:
    image = Pillow.new("RGB", (8, 4), RED)
    exif = image.getexif()
    exif[0x0112] = 6  # rotated by 90 degrees
    image.paste(BLUE, (0, 0, 4, 4))
    image.save(tmp_path / "photo.png", exif=exif)
    pixels = build_reader(size=[8, 4], resize="none").read_file(str(tmp_path / "photo.png"))
    assert pixels[:, 0, 0].tolist() == list(BLUE)
    assert pixels[:, -1, 0].tolist() == list(RED)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 100, [100, 100, 100]),
        ("1", 1, [255, 255, 255]),
        ("RGBA", (255, 0, 0, 0), [255, 255, 255]),
        ("RGBA", (0, 255, 0, 255), list(GREEN)),
        ("LA", (0, 0), [255, 255, 255]),
        ("I;16", 257 * 7, [7, 7, 7]),
    ],
)
def test_color_modes(mode: str, color: Any, expected: list[int], tmp_path: Path) -> None:
    pixels = build_reader().read_file(write_image(tmp_path / "image.png", color, mode=mode))
    assert pixels[:, 0, 0].tolist() == expected


def test_palettes_with_a_transparent_color(tmp_path: Path) -> None:
    image = Pillow.new("P", (8, 6), 0)
    image.putpalette([*RED, *BLUE])
    image.save(tmp_path / "palette.png", transparency=0)
    assert (build_reader().read_file(str(tmp_path / "palette.png")) == 255).all()


def test_cmyk_is_converted(tmp_path: Path) -> None:
    pixels = build_reader().read_file(write_image(tmp_path / "print.tiff", (0, 255, 255, 0), mode="CMYK"))
    assert pixels[:, 0, 0].tolist() == list(RED)


def test_grayscale(tmp_path: Path) -> None:
    pixels = build_reader(color_mode="grayscale").read_file(write_image(tmp_path / "image.png", (90, 90, 90)))
    assert pixels.shape == (1, 6, 8)
    assert (pixels == 90).all()


@pytest.mark.parametrize("extension", ["gif", "png", "webp", "tiff"])
def test_animations_are_refused(extension: str, tmp_path: Path) -> None:
    frames = [Pillow.new("RGB", (8, 6), color) for color in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / f"moving.{extension}", save_all=True, append_images=frames[1:])
    with pytest.raises(MtlError, match=rf"moving\.{extension}: an animation or a file of 3 images, expected one"):
        build_reader().read_file(str(tmp_path / f"moving.{extension}"))


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=r"depth\.tiff: an image of floating-point numbers"):
        build_reader().read_file(write_image(tmp_path / "depth.tiff", 1, mode="F"))


def write_bomb(path: Path, width: int, height: int) -> str:
    """Write a PNG whose header declares more pixels than the file contains."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 10_000)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return str(path)


@pytest.mark.parametrize("side", [10_000, 40_000])  # 100 megapixels, and more than Pillow opens
@pytest.mark.filterwarnings("error")
def test_decompression_bomb_is_refused_by_its_header(side: int, tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "bomb.png", side, side)
    with pytest.raises(MtlError, match=r"bomb\.png: .*more than 50 million pixels are refused \(`max_megapixels`\)"):
        Image().build().parse([path])


def test_decompression_bomb_in_memory_is_refused(tmp_path: Path) -> None:
    content = Path(write_bomb(tmp_path / "bomb.png", 10_000, 8_000)).read_bytes()
    with pytest.raises(MtlError, match=r"an image in memory: 10000 x 8000 pixels; images of more than 50 million"):
        Image().build().parse([content])


def test_limit_of_pixels_can_be_raised(tmp_path: Path) -> None:
    path = write_image(tmp_path / "image.png", size=(40, 30))
    with pytest.raises(MtlError, match=r"40 x 30 pixels; images of more than 0\.001 million"):
        Image(max_megapixels=0.001).build().parse([path])
    Image(max_megapixels=0.0012).build().parse([path])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.png", b"no image", r"notes\.png: not an image, or not of a format that is read \(BMP, GIF, JPEG"),
        ("empty.jpg", b"", r"empty\.jpg: not an image"),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"script\.eps: not an image"),
    ],
)
def test_file_that_is_no_image(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MtlError, match=message):
        Image().build().parse([str(tmp_path / name)])


def test_missing_file_and_folder(tmp_path: Path) -> None:
    write_image(tmp_path / "kitten.png")
    with pytest.raises(MtlError, match=r"kiten\.png: no such image; did you mean 'kitten\.png'\?"):
        Image().build().parse([str(tmp_path / "kiten.png")])
    with pytest.raises(MtlError, match="expected an image, found a folder"):
        Image().build().parse([str(tmp_path)])


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_truncated_file(extension: str, tmp_path: Path) -> None:
    path = Path(write_noise(tmp_path / f"cut.{extension}", size=(64, 64)))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(MtlError, match=rf"cut\.{extension}: the image is damaged and cannot be decoded"):
        Image().build().parse([str(path)])


def test_image_of_pillow_bytes_and_data_url(tmp_path: Path) -> None:
    content = Path(write_noise(tmp_path / "noise.png", size=(8, 6))).read_bytes()
    image = Pillow.open(io.BytesIO(content))
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    expected = build_reader().read_file(str(tmp_path / "noise.png"))
    for value in (image, content, url, np.asarray(image), np.asarray(image).transpose(2, 0, 1), tmp_path / "noise.png"):
        encoder = Image(size=[6, 8]).build()
        [parsed] = encoder.parse([value])
        assert np.array_equal(parsed, expected)  # type: ignore[arg-type]  # decoded, since all fit into memory


@pytest.mark.parametrize("url", ["data:image/png;base64,!", "data:image/png,abc", "data:image/png;base64,aGVsbG8="])
def test_damaged_data_url(url: str) -> None:
    with pytest.raises(MtlError, match=r"a data URL cannot be decoded|not an image"):
        Image().build().parse([url])


def test_client_of_a_server_cannot_name_files(tmp_path: Path) -> None:
    path = write_image(tmp_path / "secret.png", size=(8, 6))
    with forbid_local_files(), pytest.raises(MtlError, match=r"reads no files that its clients name; .*data URL"):
        Image(size=[6, 8]).build().parse([path])
    url = "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
    with forbid_local_files():
        Image(size=[6, 8]).build().parse([url])
    Image(size=[6, 8]).build().parse([path])


def test_url_of_the_web_is_refused() -> None:
    with pytest.raises(MtlError, match=r"found the URL https://example\.org/a\.png; download the image first"):
        Image().build().parse(["https://example.org/a.png"])


@pytest.mark.parametrize(
    "array",
    [
        np.full((6, 8), 0.5),
        np.full((6, 8, 1), 0.5, dtype=np.float32),
        np.full((6, 8, 3), 128, dtype=np.int64),
        np.full((3, 6, 8), 0.5, dtype=np.float16),
    ],
)
def test_arrays(array: np.ndarray) -> None:
    pixels = build_reader().read(array)
    assert pixels.shape == (3, 6, 8)
    assert set(pixels.ravel().tolist()) == {128}


def test_booleans_are_black_and_white() -> None:
    assert (build_reader().read(np.ones((6, 8), dtype=bool)) == 255).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"an array of shape \(5,\) is no image"),
        (np.zeros((4, 4, 2)), r"shape \(4, 4, 2\) is no image.*1, 3 or 4 channels"),
        (np.zeros((0, 4)), "is no image"),
        (np.full((4, 4), 16.0), r"values from 16\.0 to 16\.0, expected floats from 0 to 1"),
        (np.full((4, 4), np.nan), "values from nan to nan"),
        (np.full((4, 4), 300), "expected integers from 0 to 255"),
        (np.full((4, 4), -1), "expected integers from 0 to 255"),
        (np.full((4, 4), "a"), "an array of <U1 is no image"),
        (np.full((4, 4), 1j), "an array of complex128 is no image"),
        (None, "found None"),
        (3.5, "found a float"),
        (["a.png"], "found a list"),
    ],
)
def test_values_that_are_no_images(array: Any, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        Image().build().parse([array])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), extension=st.sampled_from(["png", "jpg", "gif", "bmp", "webp", "tiff", "ppm"]))
def test_damaged_bytes_never_end_in_another_error(data: st.DataObject, extension: str, tmp_path: Path) -> None:
    content = bytearray(Path(write_noise(tmp_path / f"noise.{extension}", size=(16, 16))).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        pixels = build_reader().read(damaged)
    except MtlError:
        return
    assert pixels.shape == (3, 6, 8)
