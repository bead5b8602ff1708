"""Masks as colored pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_core.artifacts.class_colors import UNLABELLED_COLOR, get_class_color

if TYPE_CHECKING:
    from numpy.typing import NDArray

DARKEST = 40
"""The brightness of the smallest number; unlabelled pixels are black."""


def color_classes(codes: NDArray[Any], n_classes: int) -> NDArray[np.uint8]:
    """Color each class: `(height, width, 3)`.

    Args:
        codes: `(height, width)`: indices of classes; negative for unlabelled pixels.
        n_classes: The number of classes.
    """
    palette = np.array([*map(get_class_color, range(n_classes)), UNLABELLED_COLOR], dtype=np.uint8)
    return palette[np.where(codes < 0, n_classes, codes)]


def color_numbers(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Paint small numbers dark and large ones bright: `(height, width, 3)`.

    Args:
        values: `(height, width)`, or `(height, width, channels)`; three channels become red, green and blue, of other
            numbers of channels the mean is shown. NaN for unlabelled pixels.
        low: The number that is painted darkest.
        high: The number that is painted brightest.
    """
    channels = values if values.ndim == 3 else values[:, :, np.newaxis]
    if channels.shape[2] != 3:
        channels = np.repeat(channels.mean(axis=2, keepdims=True), 3, axis=2)
    shares = ((channels - low) / max(high - low, 1e-12)).clip(0, 1)
    is_missing = np.isnan(channels).any(axis=2)
    picture = np.where(is_missing[:, :, np.newaxis], 0, DARKEST + (255 - DARKEST) * shares)
    return np.rint(picture).astype(np.uint8)
