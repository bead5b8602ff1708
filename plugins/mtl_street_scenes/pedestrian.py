"""Pedestrians."""

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas, Color
from mtl_street_scenes.colors import draw_color, vary_color

COATS: tuple[Color, ...] = (
    (206, 44, 52),
    (236, 140, 34),
    (240, 206, 60),
    (62, 158, 84),
    (46, 150, 190),
    (146, 66, 170),
)
TROUSERS: Color = (44, 46, 62)
SKINS: tuple[Color, ...] = ((240, 204, 172), (198, 142, 102), (136, 90, 62), (84, 56, 42))


def draw_pedestrian(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a person who walks or stands, with a bag or without, a quarter larger than life to be more than a line.

    Args:
        canvas: The canvas.
        rng: The source of randomness.
        x: Where the feet are.
        y: Where the feet are.
        metre: The length of a metre at this depth.
    """
    height = 1.25 * rng.uniform(1.5, 1.9) * metre
    stride, lean = rng.uniform(0, 0.22) * height, rng.uniform(-0.04, 0.04) * height
    coat, trousers = vary_color(rng, COATS[rng.integers(len(COATS))], 30), vary_color(rng, TROUSERS, 30)
    skin = vary_color(rng, SKINS[rng.integers(len(SKINS))])
    hip, shoulder = y - 0.46 * height, y - 0.82 * height
    with canvas.paint("pedestrian"):
        for foot in (x - stride / 2, x + stride / 2):
            canvas.line((x, hip), (foot, y), 0.13 * height, trousers)
        for hand in (x - 0.5 * stride - 0.1 * height, x + 0.5 * stride + 0.1 * height):
            canvas.line((x + lean, shoulder + 0.05 * height), (hand, hip), 0.08 * height, coat)
        canvas.polygon(
            [
                (x + lean - 0.15 * height, shoulder),
                (x + lean + 0.15 * height, shoulder),
                (x + 0.12 * height, hip + 0.04 * height),
                (x - 0.12 * height, hip + 0.04 * height),
            ],
            coat,
        )
        canvas.ellipse(x + 1.3 * lean, y - 0.91 * height, 0.16 * height, 0.19 * height, skin)
        if rng.random() < 0.6:  # hair or a hat
            canvas.ellipse(x + 1.3 * lean, y - 0.96 * height, 0.17 * height, 0.09 * height, draw_color(rng, 10, 160))
        if rng.random() < 0.3:
            bag = x + rng.choice([-1, 1]) * 0.16 * height
            canvas.rectangle(bag - 0.05 * height, hip - 0.02 * height, bag + 0.05 * height, hip + 0.12 * height, skin)
