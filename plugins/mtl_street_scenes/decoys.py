"""Things that look like the four kinds of objects and are none of them: trees, bins, lamps, other signs."""

from numpy.random import Generator

from mtl_street_scenes.canvas import Canvas
from mtl_street_scenes.colors import draw_color, vary_color
from mtl_street_scenes.post import draw_post


def draw_tree(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a tree."""
    height = rng.uniform(2.0, 3.6) * metre
    leaves = vary_color(rng, (62, 104, 52), 30)
    canvas.line((x, y), (x, y - height), 0.25 * metre, vary_color(rng, (88, 66, 48)))
    for _ in range(4):
        dx, dy = rng.uniform(-0.6, 0.6, size=2) * metre
        canvas.ellipse(x + dx, y - height + dy, 1.3 * metre, 1.2 * metre, vary_color(rng, leaves, 12))


def draw_bin(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a bin with a round lid, which has the shape of a small person without legs."""
    height, color = rng.uniform(0.9, 1.3) * metre, vary_color(rng, (92, 104, 96), 40)
    canvas.rectangle(x - 0.25 * metre, y - height, x + 0.25 * metre, y, color)
    canvas.ellipse(x, y - height, 0.5 * metre, 0.3 * metre, vary_color(rng, color, 40))


def draw_lamp(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a street lamp, which is a bright spot on a post."""
    top = draw_post(canvas, rng, x, y, rng.uniform(3.0, 4.0), metre)
    canvas.ellipse(x, top, 0.5 * metre, 0.7 * metre, vary_color(rng, (246, 226, 150), 30))


def draw_round_sign(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a speed limit (a red ring on white), or a blue sign."""
    middle = draw_post(canvas, rng, x, y, rng.uniform(2.0, 2.6), metre)
    size = rng.uniform(0.9, 1.15) * metre
    ring, inside = ((186, 28, 34), (236, 234, 230)) if rng.random() < 0.6 else ((36, 74, 160), (36, 74, 160))
    canvas.ellipse(x, middle, size, size, vary_color(rng, ring))
    canvas.ellipse(x, middle, 0.65 * size, 0.65 * size, vary_color(rng, inside))


def draw_notice(canvas: Canvas, rng: Generator, x: float, y: float, metre: float) -> None:
    """Paint a rectangular sign of any color, red and dark ones included."""
    top = draw_post(canvas, rng, x, y, rng.uniform(2.0, 3.0), metre)
    width, height = rng.uniform(0.5, 1.2, size=2) * metre
    canvas.rectangle(x - width / 2, top, x + width / 2, top + height, draw_color(rng))


DECOYS = (draw_tree, draw_bin, draw_lamp, draw_round_sign, draw_notice)
