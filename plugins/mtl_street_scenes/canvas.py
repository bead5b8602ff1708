"""A canvas that paints an image and, with the same shapes, the mask that says what each pixel shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mtl_street_scenes.classes import CLASSES, KINDS, SURFACES, Kind, Surface

UNITS = 64
"""Width and height of a canvas in its own units, whatever the size of the image."""
SAMPLES = 4
"""A pixel of the image is the mean of `SAMPLES` x `SAMPLES` painted pixels, which smooths edges."""
Color = tuple[int, int, int]
Point = tuple[float, float]


class Canvas:
    """A picture of 64 x 64 units; x runs to the right, y down.

    What is painted later hides what was painted earlier, in the image and in the mask.

    Args:
        size: Width and height of the image in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.objects: list[Kind] = []
        self._scale = size * SAMPLES / UNITS
        self._image = Image.new("RGB", (size * SAMPLES, size * SAMPLES))
        self._owners = Image.new("L", self._image.size)  # surface or object of each painted pixel
        self._brushes = ImageDraw.Draw(self._image), ImageDraw.Draw(self._owners)
        self._owner = 0

    @contextmanager
    def paint(self, what: Surface | Kind) -> Iterator[None]:
        """Let the shapes within this block belong to a surface, or to a new object."""
        previous = self._owner
        if what in KINDS:
            self.objects.append(what)
            self._owner = len(SURFACES) + len(self.objects) - 1
        else:
            self._owner = CLASSES.index(what)
        yield
        self._owner = previous

    def rectangle(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """Paint a rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Paint a polygon."""
        corners = [(x * self._scale, y * self._scale) for x, y in points]
        for brush, fill in zip(self._brushes, (color, self._owner), strict=True):
            brush.polygon(corners, fill)

    def ellipse(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Paint an ellipse around a centre."""
        box = [(x - width / 2) * self._scale, (y - height / 2) * self._scale]
        box += [(x + width / 2) * self._scale, (y + height / 2) * self._scale]
        for brush, fill in zip(self._brushes, (color, self._owner), strict=True):
            brush.ellipse(box, fill)

    def line(self, start: Point, end: Point, width: float, color: Color) -> None:
        """Paint a line."""
        ends = [start[0] * self._scale, start[1] * self._scale, end[0] * self._scale, end[1] * self._scale]
        for brush, fill in zip(self._brushes, (color, self._owner), strict=True):
            brush.line(ends, fill, max(1, round(width * self._scale)))

    def render(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image and the owner of each pixel.

        Returns:
            `(size, size, 3)`, uint8; and `(size, size)`, uint8: the value of a surface, or
            `len(SURFACES)` + the index of the object in `objects`.
        """
        image = np.asarray(self._image.reduce(SAMPLES))
        centres = slice(SAMPLES // 2, None, SAMPLES)
        return image, np.asarray(self._owners)[centres, centres]
