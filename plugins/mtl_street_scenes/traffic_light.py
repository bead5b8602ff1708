"""Traffic lights."""

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas
from mtl_street_scenes.colors import shade_color, vary_color
from mtl_street_scenes.post import draw_post

LAMPS = ((236, 40, 36), (246, 188, 40), (52, 214, 110))
"""Red, yellow, green, from top to bottom."""
HOUSINGS = ((26, 28, 30), (66, 70, 52), (176, 142, 34))


def draw_traffic_light(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a traffic light with one lit lamp.

    Args:
        canvas: The canvas.
        rng: The source of randomness.
        x: Where its post stands.
        y: Where its post stands.
        metre: The length of a metre at this depth.
    """
    top = draw_post(canvas, rng, x, y, rng.uniform(2.6, 3.4), metre)
    width, height = rng.uniform(0.5, 0.6) * metre, rng.uniform(1.3, 1.5) * metre
    housing = vary_color(rng, HOUSINGS[rng.integers(len(HOUSINGS))], 10)
    lit = rng.integers(len(LAMPS))
    with canvas.paint("traffic-light"):
        canvas.rectangle(x - width / 2, top - 0.1 * metre, x + width / 2, top + height, housing)
        for index, lamp in enumerate(LAMPS):
            color = lamp if index == lit else shade_color(lamp, 0.25)
            canvas.ellipse(x, top + (index + 0.45) * height / 3, 0.66 * width, 0.66 * width, color)
