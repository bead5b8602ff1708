"""Small images that tests write."""

from pathlib import Path

import numpy as np
from PIL import Image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def write_image(
    path: Path, color: tuple[int, ...] | int = RED, size: tuple[int, int] = (8, 6), mode: str = "RGB"
) -> str:
    """Write an image of one color; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)
    return str(path)


def write_noise(path: Path, seed: int = 0, size: tuple[int, int] = (32, 32)) -> str:
    """Write an image of random colors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return str(path)
