"""Stop signs."""

from math import cos, pi, sin

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas, Point
from mtl_street_scenes.colors import vary_color
from mtl_street_scenes.post import draw_post

RED, WHITE = (186, 28, 34), (236, 234, 230)


def draw_stop_sign(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a red octagon with a white border, and a white bar in place of the four letters.

    Args:
        canvas: The canvas.
        rng: The source of randomness.
        x: Where its post stands.
        y: Where its post stands.
        metre: The length of a metre at this depth.
    """
    top = draw_post(canvas, rng, x, y, rng.uniform(2.0, 2.6), metre)
    radius = rng.uniform(0.45, 0.6) * metre
    middle = top + 0.5 * radius
    with canvas.paint("stop-sign"):
        canvas.polygon(_find_corners(x, middle, radius), vary_color(rng, WHITE))
        canvas.polygon(_find_corners(x, middle, 0.86 * radius), vary_color(rng, RED))
        canvas.rectangle(x - 0.6 * radius, middle - 0.2 * radius, x + 0.6 * radius, middle + 0.2 * radius, WHITE)


def _find_corners(x: float, y: float, radius: float) -> list[Point]:
    angles = [(2 * corner + 1) * pi / 8 for corner in range(8)]
    return [(x + radius * cos(angle), y + radius * sin(angle)) for angle in angles]
