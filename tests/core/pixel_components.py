"""Components for tests of pixels: images of rectangles with masks, an encoder of arrays, a convolution.

It is a plugin file, loaded by path like any other. Each image has a bright rectangle of one of two colours. Classes of
pixels are background, red, blue; the depth of a pixel is far outside, and near in the rectangle; the direction differs
inside and outside. The lower rows of some masks are unlabelled.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from mtl_core import (
    BackboneSpec,
    Corpus,
    EncoderSpec,
    Features,
    FeatureShape,
    InputPath,
    LoaderSpec,
    MtlError,
    hookimpl,
)
from mtl_core.data.encoder import Encoder

PLUGIN = str(Path(__file__).resolve())
SIZE = (8, 12)
CLASSES = ["background", "red", "blue"]


class TinyImages(Encoder[NDArray[np.float32], NDArray[np.float32]]):
    """Arrays `(height, width, 3)` of one size."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None

    def parse(self, inputs: Sequence[Any]) -> list[NDArray[np.float32]]:
        return [np.asarray(value, dtype=np.float32) for value in inputs]

    def fit(self, parsed: Iterable[NDArray[np.float32]]) -> None:
        height, width = next(iter(parsed)).shape[:2]
        self._size = (height, width)

    def encode(self, parsed: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return [np.moveaxis(image, -1, 0) for image in parsed]

    def collate(self, items: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(items))

    @property
    def image_size(self) -> tuple[int, int] | None:
        return self._size

    def thumbnail(self, parsed: NDArray[np.float32]) -> NDArray[np.uint8]:
        return (parsed.clip(0, 1) * 255).round().astype(np.uint8)

    def input_layer(self) -> nn.Module:
        if self._size is None:
            raise MtlError("the encoder is not fitted")
        return TinyInput(self._size)

    def state(self) -> dict[str, Any]:
        return {"size": self._size}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._size = (state["size"][0], state["size"][1])


class TinyInput(nn.Module):
    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.output = FeatureShape(3, size=size, image_size=size)

    def forward(self, images: torch.Tensor) -> Features:
        return Features(images)


class TinyImagesSpec(EncoderSpec):
    """Images in memory."""

    type: Literal["tiny-images"] = "tiny-images"

    def build(self) -> TinyImages:
        return TinyImages()


class TinyConvModule(nn.Module):
    def __init__(self, inputs: FeatureShape, width: int, stride: int) -> None:
        super().__init__()
        assert inputs.size is not None
        self.layer = nn.Conv2d(inputs.width, width, 3, padding=1, stride=stride)
        size = (-(-inputs.size[0] // stride), -(-inputs.size[1] // stride))
        self.output = FeatureShape(width, size=size, image_size=inputs.image_size)

    def forward(self, features: Features) -> Features:
        return Features(torch.relu(self.layer(features.values)))


class TinyConv(BackboneSpec):
    """One convolution."""

    type: Literal["tiny-conv"] = "tiny-conv"
    layouts = frozenset({"spatial"})
    width: PositiveInt = 12
    stride: PositiveInt = 2

    def build(self, inputs: FeatureShape) -> nn.Module:
        return TinyConvModule(inputs, self.width, self.stride)


class Rectangles(LoaderSpec):
    """Images of rectangles, in memory; masks in memory or as files of `folder`."""

    type: Literal["rectangles"] = "rectangles"
    rows: PositiveInt = 40
    test_rows: NonNegativeInt = 12
    folder: InputPath | None = None
    """The folder that `write_masks` has filled; labels are then file names."""
    suffix: Literal[".npy", ".png"] = ".npy"
    ignored: int = 255
    """The value of unlabelled pixels of segmentation masks."""
    nan_marks: bool = False
    """Whether NaN marks unlabelled pixels, instead of `ignored` and 0."""
    labelled: float = 1.0
    """Share of images with masks."""
    seed: NonNegativeInt = 0

    def load(self) -> Corpus:
        total = self.rows + self.test_rows
        pixel_columns = draw_rectangles(total, self.seed, self.ignored)
        if self.nan_marks:
            pixel_columns["seg"] = [np.where(mask == self.ignored, np.nan, mask) for mask in pixel_columns["seg"]]
            pixel_columns["depth"] = [np.where(mask == 0, np.nan, mask) for mask in pixel_columns["depth"]]
            missing = [(mask == 0).all(axis=2, keepdims=True) for mask in pixel_columns["normal"]]
            pixel_columns["normal"] = [
                np.where(is_missing, np.nan, mask)
                for is_missing, mask in zip(missing, pixel_columns["normal"], strict=True)
            ]
        random = np.random.default_rng(self.seed + 1)
        labels: dict[str, list[Any]] = {}
        for name in MASKS:
            masks = (
                pixel_columns[name] if self.folder is None else [str(path) for path in self._list_paths(name, total)]
            )
            keep = random.random(total) < self.labelled
            keep[0] = keep[self.rows :] = True
            labels[name] = [mask if is_labelled else None for mask, is_labelled in zip(masks, keep, strict=True)]
        labels["colour"] = [CLASSES[int(mask[mask < 3].max())] for mask in pixel_columns["seg"]]
        return Corpus(
            ids=[f"image{row}" for row in range(total)],
            inputs=pixel_columns["image"],
            labels=labels,
            splits=["train" if row < self.rows else "test" for row in range(total)],
        )

    def _list_paths(self, name: str, total: int) -> list[Path]:
        assert self.folder is not None
        suffix = self.suffix if name == "seg" else ".npy"
        return [self.folder / name / f"{row}{suffix}" for row in range(total)]


MASKS = ("seg", "depth", "normal")


def draw_rectangles(n: int, seed: int = 0, ignored: int = 255) -> dict[str, list[NDArray[Any]]]:
    """Draw images and their masks: `image`, `seg`, `depth`, `normal`."""
    random = np.random.default_rng(seed)
    pixel_columns: dict[str, list[NDArray[Any]]] = {"image": [], **{name: [] for name in MASKS}}
    height, width = SIZE
    for _ in range(n):
        image = random.normal(0, 0.1, (height, width, 3)).astype(np.float32)
        seg = np.zeros(SIZE, dtype=np.uint8 if ignored >= 0 else np.int8)
        top, left = random.integers(0, height - 3), random.integers(0, width - 4)
        area = (slice(top, top + random.integers(3, height - top + 1)), slice(left, left + 4))
        code = random.integers(1, 3)
        image[area] += np.eye(3, dtype=np.float32)[0 if code == 1 else 2]
        seg[area] = code
        depth = np.where(seg > 0, 2.0, 10.0).astype(np.float32) + random.normal(0, 0.1, SIZE).astype(np.float32)
        normal = np.where((seg > 0)[:, :, None], [0.0, 0.6, 0.8], [1.0, 0.0, 0.0]).astype(np.float32)
        if random.random() < 0.5:
            seg[-2:], depth[-2:], normal[-2:] = ignored, 0, 0
            if not ((seg > 0) & (seg < 3)).any():
                seg[0, 0] = code
        for name, mask in (("image", image), ("seg", seg), ("depth", depth), ("normal", normal)):
            pixel_columns[name].append(mask)
    return pixel_columns


def write_masks(folder: Path, n: int, seed: int = 0, ignored: int = 255, suffix: str = ".npy") -> Path:
    """Write the masks of images to `seg`, `depth` and `normal` in a folder."""
    pixel_columns = draw_rectangles(n, seed, ignored)
    for name in MASKS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row, mask in enumerate(pixel_columns[name]):
            if name == "seg" and suffix == ".png":
                from PIL import Image

                Image.fromarray(mask).save(folder / name / f"{row}.png")
            else:
                np.save(folder / name / f"{row}.npy", mask)
    return folder


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [Rectangles]


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [TinyImagesSpec]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [TinyConv]


TASKS: dict[str, dict[str, Any]] = {
    "seg": {
        "kind": {"type": "segmentation", "classes": CLASSES},
        "head": {"type": "dense-conv", "hidden_dim": 16},
    },
    "depth": {
        "kind": {"type": "dense-regression", "ignore_value": 0, "metrics": ["mae", "abs-rel"]},
        "head": {"type": "dense-conv", "hidden_dim": 16},
    },
    "normal": {
        "kind": {
            "type": "dense-regression", "channels": 3, "ignore_value": 0, "standardise": False, "loss": "cosine",
            "metrics": ["angle-error", {"type": "within-angle", "degrees": 30}],
        },
        "head": {"type": "dense-conv", "hidden_dim": 16},
    },
    "colour": {"kind": "classification", "head": "linear"},
}  # fmt: skip
"""One task per kind, by name."""


def build_pixel_experiment(*names: str, **overrides: Any) -> dict[str, Any]:
    """Return the blocks of an experiment on rectangles, for `toy_config`."""
    return {
        "plugins": [PLUGIN],
        "data": "rectangles",
        "encoder": "tiny-images",
        "backbone": "tiny-conv",
        "tasks": [{"name": name, **TASKS[name]} for name in names or TASKS],
        "optimizer": {"type": "adam", "lr": 0.02},
        "training": {"epochs": 2, "batch_size": 8},
        **overrides,
    }
