"""The module of the residual network."""

from collections.abc import Sequence
from math import gcd

import torch
from torch import nn

from mtl_core import Features, FeatureShape, MtlError

MAX_GROUPS = 8
"""Largest number of groups of channels that are normalised together."""


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3, added to the input (He et al., 2016).

    Args:
        width_in: Channels of the input.
        width_out: Channels of the output.
        stride: Stride of the first convolution.
        normalization: `group` or `batch`.
    """

    def __init__(self, width_in: int, width_out: int, stride: int, normalization: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False),
            _build_normalization(normalization, width_out),
            nn.ReLU(),
            nn.Conv2d(width_out, width_out, 3, padding=1, bias=False),
            _build_normalization(normalization, width_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width_out, 1, stride, bias=False), _build_normalization(normalization, width_out)
            )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return `(batch, channels, height, width)`."""
        return torch.relu(self.layers(values) + self.shortcut(values))


class ResidualNetwork(nn.Module):
    """A convolution, and stages of residual blocks.

    Args:
        inputs: Shape of the input features, which must be spatial.
        channels: Channels of each stage.
        blocks: Residual blocks per stage.
        stem_stride: Stride of the first convolution.
        normalization: `group` or `batch`.
        dropout: Dropout probability of channels after the last stage.
        is_pooled: Whether to return the mean over positions.

    Raises:
        MtlError: If images are too small for the number of stages.
    """

    def __init__(
        self,
        inputs: FeatureShape,
        channels: Sequence[int],
        blocks: int,
        stem_stride: int,
        normalization: str,
        dropout: float,
        is_pooled: bool,
    ) -> None:
        super().__init__()
        if inputs.size is None:
            raise MtlError("the backbone 'residual-cnn' reads images, but its input has no height and width")
        strides = [stem_stride, *[2] * (len(channels) - 1)]
        if min(inputs.size) < _multiply(strides):
            raise MtlError(
                f"the backbone 'residual-cnn' makes images {_multiply(strides)} times smaller, but they have "
                f"{inputs.size[0]} x {inputs.size[1]} pixels; use fewer `channels` or a smaller `stem_stride`"
            )
        layers: list[nn.Module] = [
            nn.Conv2d(inputs.width, channels[0], 3, stem_stride, padding=1, bias=False),
            _build_normalization(normalization, channels[0]),
            nn.ReLU(),
        ]
        width = channels[0]
        for stage, stage_width in enumerate(channels):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(ResidualBlock(width, stage_width, stride, normalization))
                width = stage_width
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout2d(dropout)
        self.is_pooled = is_pooled
        height, image_width = inputs.size
        for stride in strides:
            height, image_width = -(-height // stride), -(-image_width // stride)
        if normalization == "batch" and height * image_width == 1:
            raise MtlError(
                "the backbone 'residual-cnn' reduces images to one position, where `normalization: batch` cannot train "
                "on a batch of one example; use fewer `channels`, or `normalization: group`"
            )
        self.output = FeatureShape(
            width, size=None if is_pooled else (height, image_width), image_size=inputs.image_size
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Features) -> Features:
        """Return `(batch, width)` or `(batch, width, height, width)`, from `(batch, channels, height, width)`."""
        outputs = Features(self.dropout(self.layers(features.values)))
        return Features(outputs.mean_pool()) if self.is_pooled else outputs


def _build_normalization(normalization: str, width: int) -> nn.Module:
    if normalization == "batch":
        return nn.BatchNorm2d(width)
    return nn.GroupNorm(gcd(MAX_GROUPS, width), width)


def _multiply(factors: Sequence[int]) -> int:
    product = 1
    for factor in factors:
        product *= factor
    return product
