"""Posts, which carry traffic lights, signs and lamps."""

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas
from mtl_street_scenes.colors import vary_color

STEEL = (104, 106, 108)


def draw_post(canvas: Canvas, rng: Generator, x: float, y: float, height: float, metre: float) -> float:
    """Paint a post, which is background in the mask, and return the y of its upper end."""
    top = y - height * metre
    with canvas.paint("background"):
        canvas.line((x, y), (x, top), 0.1 * metre, vary_color(rng, STEEL))
    return top
