"""Light, haze, rain and the noise of the camera."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def add_weather(rng: Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change brightness and contrast, and add rain and noise.

    Args:
        rng: The source of randomness.
        image: `(size, size, 3)`, uint8.

    Returns:
        `(size, size, 3)`, uint8.
    """
    haze = rng.uniform(0, 0.35) * (rng.random() < 0.4)
    light = rng.uniform(0.65, 1.1) * rng.uniform(0.94, 1.06, size=3)
    values = (image * (1 - haze) + 190 * haze) * light
    if rng.random() < 0.15:
        values += 60 * draw_rain(rng, len(image))[:, :, np.newaxis]
    values += rng.normal(0, rng.uniform(3, 12), size=image.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def draw_rain(rng: Generator, size: int) -> NDArray[np.float64]:
    """Return streaks of rain, `(size, size)`: the opacity of each pixel from 0 to 1."""
    drops = rng.random((size, size)) < 0.006
    streaks = np.zeros((size, size))
    for step in range(max(1, size // 16)):
        streaks = np.maximum(streaks, np.roll(drops, step, axis=0) * rng.uniform(0.3, 0.9))
    return streaks
