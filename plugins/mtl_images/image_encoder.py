"""The image encoder: from files, Pillow's images and arrays to batches of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.data import Encoder
from mtl_images.augment_batch import augment_batch
from mtl_images.augmentation import Augmentation
from mtl_images.image_layer import NormalizedImages
from mtl_images.image_reader import ImageReader
from mtl_images.stored_image import BackgroundDecoder, StoredImage

Decoded = NDArray[np.uint8]
"""An image, `(channels, height, width)`, uint8."""
Item = Decoded | StoredImage
MIN_STD = 1 / 255
"""Smallest standard deviation that channels are divided by, for images of a single color."""


class ImageEncoder(Encoder[Item, Item]):
    """An encoder of images of one size, with the mean and standard deviation of the training images.

    Args:
        reader: Reads and resizes images.
        mean: The mean of each channel, on the scale from 0 to 1; None for that of the training images.
        std: The standard deviation of each channel; None for that of the training images.
        augmentation: Random changes of training images.
        memory_mb: Memory for decoded images, in MB; if they need more, files are decoded on each use.
    """

    def __init__(
        self,
        reader: ImageReader,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        augmentation: Augmentation,
        memory_mb: int,
    ) -> None:
        self._reader = reader
        self._has_fixed_statistics = mean is not None
        self._mean, self._std = list(mean or ()), list(std or ())
        self._augmentation = augmentation
        self._memory_bytes = memory_mb * 10**6
        self._decoder = BackgroundDecoder(reader.read_file)

    def parse(self, inputs: Sequence[Any]) -> list[Item]:
        """Check that inputs are images, and decode them if all fit into memory.

        Raises:
            MtlError: If an input is no image, too large, damaged, or not of the size that is declared.
        """
        paths = [self._reader.find_file(value) for value in inputs]
        files = [path for path in dict.fromkeys(paths) if path is not None]
        for path in files:
            self._reader.check_file(path)
        fits = len(inputs) * self._reader.image_bytes <= self._memory_bytes
        decoded = dict(zip(files, self._decoder.map(files), strict=True)) if fits else {}
        return [
            self._reader.read(value) if path is None else decoded[path] if fits else StoredImage(path)
            for value, path in zip(inputs, paths, strict=True)
        ]

    def fit(self, parsed: Iterable[Item]) -> None:
        """Compute the mean and standard deviation of each channel, unless they are given."""
        if self._has_fixed_statistics:
            return
        counts = np.zeros((self._reader.n_channels, 256), dtype=np.int64)
        for image in parsed:
            pixels = self._reader.read_file(image.path) if isinstance(image, StoredImage) else image
            for channel, values in enumerate(pixels):
                counts[channel] += np.bincount(values.ravel(), minlength=256)
        values = np.arange(256) / 255
        total = np.maximum(counts.sum(axis=1), 1)
        mean = counts @ values / total
        std = np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0))
        self._mean, self._std = mean.tolist(), np.maximum(std, MIN_STD).tolist()

    def encode(self, parsed: Sequence[Item]) -> list[Item]:
        """Return the parsed images: bytes, or references to files."""
        return list(parsed)

    def prefetch(self, items: Sequence[Item]) -> None:
        """Start to decode the files of a coming batch in the background."""
        self._decoder.start([item.path for item in items if isinstance(item, StoredImage)])

    def collate(self, items: Sequence[Item]) -> torch.Tensor:
        """Stack images: `(batch, channels, height, width)`, uint8.

        Raises:
            MtlError: If a file cannot be decoded.
        """
        stored = self._decoder.fetch([item.path for item in items if isinstance(item, StoredImage)])
        images = [stored[item.path] if isinstance(item, StoredImage) else item for item in items]
        return torch.from_numpy(np.stack(images))

    def augment(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Flip, shift and brighten images at random."""
        fill = (torch.tensor(self._mean) * 255).round().to(torch.uint8)
        return augment_batch(inputs, self._augmentation, fill)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self._reader.size

    def thumbnail(self, parsed: Item) -> Decoded:
        """Return the image as the network sees it, `(height, width, channels)`."""
        image = self._reader.read_file(parsed.path) if isinstance(parsed, StoredImage) else parsed
        return image.transpose(1, 2, 0)

    def input_layer(self) -> nn.Module:
        """Return the layer that normalises images."""
        return NormalizedImages(self._reader.size, self._mean, self._std)

    def unload(self) -> None:
        """End the threads that decode images."""
        self._decoder.close()

    def state(self) -> dict[str, Any]:
        """Return the mean and standard deviation of each channel."""
        return {"mean": self._mean, "std": self._std}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the mean and standard deviation of each channel."""
        self._mean, self._std = list(state["mean"]), list(state["std"])
