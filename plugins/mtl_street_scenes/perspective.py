"""The perspective of a street: where things are, and how large they look."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from mtl_street_scenes.canvas import UNITS


@dataclass(frozen=True)
class Street:
    """A straight, flat road, seen by a pinhole camera.

    The depth of a point on the ground is its distance below the horizon on the canvas. A metre there looks
    `depth / camera_height` units long: near things are low in the image, and large.

    Attributes:
        horizon: The height of the horizon, in units of the canvas from the top.
        vanishing_x: The point of the horizon that the road runs to.
        camera_height: The height of the camera in metres.
        half_width: Half the width of the road in metres.
    """

    horizon: float
    vanishing_x: float
    camera_height: float
    half_width: float

    @property
    def depth(self) -> float:
        """The depth of the nearest visible point."""
        return UNITS - self.horizon

    def find_x(self, offset: float, depth: float) -> float:
        """Return the x of a point that lies some metres to the right of the middle of the road."""
        return self.vanishing_x + offset * self.measure_metre(depth)

    def measure_metre(self, depth: float) -> float:
        """Return the length of a metre in units of the canvas."""
        return depth / self.camera_height


def draw_street(rng: Generator) -> Street:
    """Draw a perspective."""
    return Street(
        horizon=rng.uniform(24, 34),
        vanishing_x=rng.uniform(22, 42),
        camera_height=rng.uniform(1.9, 2.6),
        half_width=rng.uniform(2.4, 3.4),
    )
