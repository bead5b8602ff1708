"""Vehicles: cars and vans from behind or in front, and from the side."""

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas, Color
from mtl_street_scenes.colors import draw_color, shade_color, vary_color

TIRE, GLASS, PLATE = (22, 22, 24), (70, 86, 104), (226, 224, 210)
HEADLIGHT, TAILLIGHT = (250, 244, 206), (190, 26, 30)


def draw_vehicle(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a car or a van, seen along the road or across it.

    Args:
        canvas: The canvas.
        rng: The source of randomness.
        x: The middle of its underside.
        y: Where its tires touch the ground.
        metre: The length of a metre at this depth.
    """
    paint, glass = draw_color(rng), vary_color(rng, GLASS)
    height = (rng.uniform(1.4, 1.7) if rng.random() < 0.7 else rng.uniform(2.0, 2.6)) * metre
    with canvas.paint("vehicle"):
        if rng.random() < 0.75:
            lights = HEADLIGHT if rng.random() < 0.5 else TAILLIGHT
            draw_end(canvas, x, y, rng.uniform(1.7, 2.1) * metre, height, paint, glass, lights)
        else:
            draw_side(canvas, x, y, rng.uniform(3.6, 4.8) * metre, height, paint, glass)


def draw_end(
    canvas: Canvas, x: float, y: float, width: float, height: float, paint: Color, glass: Color, lights: Color
) -> None:
    """Paint the front or the back."""
    half, waist = width / 2, y - 0.55 * height
    for tire in (x - 0.36 * width, x + 0.36 * width):
        canvas.rectangle(tire - 0.1 * width, y - 0.25 * height, tire + 0.1 * width, y, TIRE)
    roof = [(x - 0.38 * width, y - height), (x + 0.38 * width, y - height), (x + half, waist), (x - half, waist)]
    canvas.polygon(roof, shade_color(paint, 0.85))
    window = [(-0.33, -0.94), (0.33, -0.94), (0.42, -0.58), (-0.42, -0.58)]
    canvas.polygon([(x + dx * width, y + dy * height) for dx, dy in window], glass)
    canvas.rectangle(x - half, waist, x + half, y - 0.14 * height, paint)
    for light in (x - 0.38 * width, x + 0.38 * width):
        canvas.ellipse(light, y - 0.42 * height, 0.18 * width, 0.13 * height, lights)
    canvas.rectangle(x - 0.14 * width, y - 0.3 * height, x + 0.14 * width, y - 0.2 * height, PLATE)


def draw_side(canvas: Canvas, x: float, y: float, length: float, height: float, paint: Color, glass: Color) -> None:
    """Paint one side."""
    waist = y - 0.58 * height
    cabin = [(-0.34, -0.56), (-0.22, -1.0), (0.2, -1.0), (0.36, -0.56)]
    canvas.polygon([(x + dx * length, y + dy * height) for dx, dy in cabin], shade_color(paint, 0.85))
    for left, right in ((-0.24, -0.02), (0.02, 0.24)):
        canvas.rectangle(x + left * length, y - 0.92 * height, x + right * length, y - 0.6 * height, glass)
    canvas.rectangle(x - length / 2, waist, x + length / 2, y - 0.18 * height, paint)
    for wheel in (x - 0.3 * length, x + 0.3 * length):
        canvas.ellipse(wheel, y - 0.2 * height, 0.4 * height, 0.4 * height, TIRE)
        canvas.ellipse(wheel, y - 0.2 * height, 0.18 * height, 0.18 * height, (150, 150, 154))
