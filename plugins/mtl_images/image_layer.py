"""The input layer of the image encoder."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core import Features, FeatureShape


class NormalizedImages(nn.Module):
    """Converts bytes to numbers with mean 0 and standard deviation 1 per channel.

    Args:
        size: (height, width) of the images.
        mean: The mean of each channel, on the scale from 0 to 1.
        std: The standard deviation of each channel.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))
        self.output = FeatureShape(len(mean), size=size, image_size=size)

    def forward(self, images: torch.Tensor) -> Features:
        """Return features `(batch, channels, height, width)`, from uint8 of the same shape."""
        return Features((images / 255 - self.mean) / self.std)
