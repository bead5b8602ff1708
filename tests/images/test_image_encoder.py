"""The image encoder: statistics, memory, decoding in the background, augmentation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_files import write_image, write_noise
from pydantic import ValidationError

from mtl_core import MtlError
from mtl_images.augment_batch import augment_batch
from mtl_images.augmentation import Augmentation
from mtl_images.image import Image
from mtl_images.image_encoder import ImageEncoder
from mtl_images.stored_image import StoredImage

FILL = torch.tensor([7, 8, 9], dtype=torch.uint8)


def build_encoder(**keys: Any) -> ImageEncoder:
    return Image(**{"size": [6, 8], **keys}).build()


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return [write_noise(tmp_path / f"{number}.png", number, size=(8, 6)) for number in range(5)]


def test_training_images_have_mean_0_and_standard_deviation_1(paths: list[str]) -> None:
    encoder = build_encoder()
    parsed = encoder.parse(paths)
    encoder.fit(iter(parsed))
    values = encoder.input_layer()(encoder.collate(encoder.encode(parsed))).values
    torch.testing.assert_close(values.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(values.std(dim=(0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-5)


def test_given_mean_and_standard_deviation_are_used(paths: list[str]) -> None:
    encoder = build_encoder(mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])
    parsed = encoder.parse(paths)
    encoder.fit(iter(parsed))
    batch = encoder.collate(parsed)
    torch.testing.assert_close(encoder.input_layer()(batch).values, (batch / 255 - 0.5) / 0.25)


def test_images_of_one_color_are_finite(tmp_path: Path) -> None:
    encoder = build_encoder()
    parsed = encoder.parse([write_image(tmp_path / "red.png")])
    encoder.fit(iter(parsed))
    assert encoder.input_layer()(encoder.collate(parsed)).values.abs().max() < 1e-3


def test_images_that_do_not_fit_stay_in_their_files(tmp_path: Path) -> None:
    paths = [write_noise(tmp_path / f"{number}.png", number, size=(300, 300)) for number in range(4)]
    small, large = build_encoder(size=300, memory_mb=2), build_encoder(size=300, memory_mb=1)
    decoded, stored = small.parse(paths), large.parse(paths)
    assert stored == [StoredImage(path) for path in paths]
    assert all(isinstance(image, np.ndarray) for image in decoded)
    for encoder, parsed in ((small, decoded), (large, stored)):
        encoder.fit(iter(parsed))
    assert small.state() == large.state()
    large.prefetch(stored[:2])
    for rows in ([0, 1], [1, 0, 1], [3, 2]):  # prefetched, repeated, not prefetched
        expected = small.collate([decoded[row] for row in rows])
        assert torch.equal(large.collate([stored[row] for row in rows]), expected)
    large.unload()
    assert torch.equal(large.collate(stored), small.collate(decoded))


def test_batch_is_decoded_once_and_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_noise(tmp_path / f"{number}.png", number, size=(600, 600)) for number in range(3)]
    encoder = build_encoder(size=600, memory_mb=1)
    decoded: list[str] = []
    read_file = encoder._decoder._decode

    def count(path: str) -> Any:
        decoded.append(path)
        return read_file(path)

    monkeypatch.setattr(encoder._decoder, "_decode", count)
    stored = encoder.parse(paths)
    assert not decoded
    encoder.prefetch(stored[:2])
    futures = list(encoder._decoder._pending.values())
    for future in futures:
        future.result()
    assert sorted(decoded) == paths[:2]
    encoder.collate(stored[:2])
    assert sorted(decoded) == paths[:2]
    encoder.prefetch(stored[:1])
    encoder.prefetch(stored[2:])  # the first batch was never built
    assert list(encoder._decoder._pending) == paths[2:]


def test_stored_image_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = Path(write_noise(tmp_path / "cut.png", size=(600, 600)))
    encoder = build_encoder(size=600, memory_mb=1)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(MtlError, match=r"cut\.png: the image is damaged"):
        encoder.collate(encoder.parse([str(path)]))


def draw_batch(size: int = 6) -> torch.Tensor:
    return torch.randint(10, 256, (size, 3, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize(
    "options", [{"horizontal_flip": True}, {"shift": 2}, {"horizontal_flip": True, "shift": 1}], ids=str
)
def test_pixels_come_from_their_sources(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    batch = draw_batch()
    augmented, sources = augment_batch(batch, Augmentation(**options), FILL)
    assert sources is not None
    assert not torch.equal(augmented, batch)
    pixels, moved = batch.flatten(2), augmented.flatten(2)
    for example in range(len(batch)):
        for pixel in range(30):
            source = int(sources[example, pixel])
            expected = FILL if source < 0 else pixels[example, :, source]
            assert torch.equal(moved[example, :, pixel], expected)


def test_flip_mirrors_about_half_of_the_images() -> None:
    torch.manual_seed(0)
    batch = draw_batch(200)
    augmented, _ = augment_batch(batch.clone(), Augmentation(horizontal_flip=True), FILL)
    is_flipped = (augmented == batch.flip(3)).flatten(1).all(dim=1)
    assert 70 < is_flipped.sum() < 130
    assert torch.equal(augmented[~is_flipped], batch[~is_flipped])


def test_shift_moves_by_at_most_its_size() -> None:
    torch.manual_seed(0)
    _, sources = augment_batch(draw_batch(300), Augmentation(shift=2), FILL)
    assert sources is not None
    center = sources.view(300, 5, 6)[:, 2, 3]
    rows, columns = center // 6 - 2, center % 6 - 3
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}


def test_brightness_scales_each_image_by_its_factor() -> None:
    torch.manual_seed(0)
    batch = torch.full((200, 3, 2, 2), 100, dtype=torch.uint8)
    augmented, sources = augment_batch(batch, Augmentation(brightness=0.2), FILL)
    assert sources is None
    assert (augmented == augmented[:, :1, :1, :1]).all()
    values = augmented[:, 0, 0, 0].tolist()
    assert 80 <= min(values) < 84
    assert 116 < max(values) <= 120
    bright, _ = augment_batch(torch.full((50, 3, 2, 2), 250, dtype=torch.uint8), Augmentation(brightness=0.5), FILL)
    assert bright.max() == 255
    assert bright.min() >= 125  # none wraps around


def test_without_augmentation_a_batch_is_unchanged() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    augmented, sources = augment_batch(draw_batch(), Augmentation(), FILL)
    assert torch.equal(augmented, draw_batch())
    assert sources is None
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mean": [0.5] * 3}, "`mean` and `std` belong together"),
        ({"mean": [0.5], "std": [0.5]}, "`mean` has 1 values, but a rgb image has 3 channels"),
        ({"mean": [0.5] * 3, "std": [0.5, 0.0, 0.5]}, "`std` must be above 0"),
        ({"augmentation": {"shift": 3}}, "moves half of an image of 6 x 8 pixels or more"),
        ({"size": [6, 8, 3]}, "at most 2 items"),
        ({"size": 0}, "greater than 0"),
    ],
)
def test_options_that_cannot_work(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build_encoder(**keys)
