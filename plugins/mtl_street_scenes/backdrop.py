"""The empty street: sky, buildings, sidewalks, road."""

import numpy as np
from numpy.random import Generator

from mtl_street_scenes.canvas import UNITS, Canvas, Color
from mtl_street_scenes.colors import draw_color, mix_colors, shade_color, vary_color
from mtl_street_scenes.perspective import Street

SKIES: tuple[tuple[Color, Color], ...] = (
    ((92, 148, 212), (196, 218, 236)),  # a clear day
    ((150, 156, 164), (198, 202, 206)),  # clouds
    ((84, 82, 130), (236, 160, 120)),  # dusk
    ((22, 26, 52), (62, 60, 92)),  # night
)
"""Color at the top and at the horizon."""
BRICK, ASPHALT, PAVEMENT, PAINT = (150, 110, 92), (84, 84, 88), (158, 152, 144), (214, 212, 204)
GLASS, LAMPLIGHT = (40, 48, 64), (250, 226, 150)


def draw_backdrop(canvas: Canvas, rng: Generator, street: Street) -> None:
    """Paint an empty street."""
    draw_sky(canvas, rng, street.horizon)
    draw_buildings(canvas, rng, street.horizon)
    draw_ground(canvas, rng, street)


def draw_sky(canvas: Canvas, rng: Generator, horizon: float) -> None:
    """Paint a gradient, and clouds."""
    top, bottom = SKIES[rng.integers(len(SKIES))]
    for row in range(int(horizon) + 1):
        canvas.rectangle(0, row, UNITS, row + 1, mix_colors(top, bottom, row / horizon))
    for _ in range(rng.integers(4)):
        x, y = rng.uniform(0, UNITS), rng.uniform(0, 0.6 * horizon)
        for _ in range(3):
            canvas.ellipse(x, y, rng.uniform(6, 14), rng.uniform(2, 4), mix_colors(bottom, (255, 255, 255), 0.3))
            x += rng.uniform(2, 5)


def draw_buildings(canvas: Canvas, rng: Generator, horizon: float) -> None:
    """Paint a row of houses along the horizon, with gaps."""
    x = rng.uniform(-8, 0)
    while x < UNITS:
        width = rng.uniform(8, 20)
        if rng.random() < 0.85:
            draw_house(canvas, rng, x, horizon - rng.uniform(7, 24), x + width, horizon + 1)
        x += width


def draw_house(canvas: Canvas, rng: Generator, left: float, top: float, right: float, bottom: float) -> None:
    """Paint a house with windows, some of them lit, and sometimes a shop below them."""
    wall = mix_colors(BRICK, draw_color(rng), 0.5)
    panes = [vary_color(rng, GLASS), mix_colors(GLASS, LAMPLIGHT, rng.random())]
    is_lit = rng.random((12, 12)) < rng.random()
    with canvas.paint("building"):
        canvas.rectangle(left, top, right, bottom, wall)
        step = rng.uniform(2.5, 4.5)
        for row, y in enumerate(np.arange(top + 1.2, bottom - 5, step)):
            for column, x in enumerate(np.arange(left + 1, right - 1.5, step)):
                canvas.rectangle(x, y, x + 0.45 * step, y + 0.55 * step, panes[int(is_lit[row, column])])
        if rng.random() < 0.4:  # an awning, as red as a stop sign may be
            canvas.rectangle(left + 1, bottom - 5, right - 1, bottom - 3.6, draw_color(rng))


def draw_ground(canvas: Canvas, rng: Generator, street: Street) -> None:
    """Paint sidewalks, the road up to its vanishing point, and its markings."""
    pavement, asphalt = vary_color(rng, PAVEMENT), vary_color(rng, ASPHALT)
    with canvas.paint("sidewalk"):
        canvas.rectangle(0, street.horizon, UNITS, UNITS, pavement)
    with canvas.paint("road"):
        edges = [(street.find_x(offset, depth), street.horizon + depth) for offset, depth in _trace_road(street)]
        canvas.polygon(edges, asphalt)
        for start in (0.05, 0.2, 0.42, 0.72):  # dashes of the middle line, longer when nearer
            depths = street.depth * start, street.depth * (start * 1.3 + 0.03)
            corners = [(offset, depth) for depth in depths for offset in (-0.12, 0.12)]
            points = [(street.find_x(offset, depth), street.horizon + depth) for offset, depth in corners]
            canvas.polygon([points[0], points[1], points[3], points[2]], mix_colors(asphalt, PAINT, 0.8))
        if rng.random() < 0.3:
            draw_crosswalk(canvas, street, rng.uniform(0.3, 0.7) * street.depth, shade_color(PAINT, 0.95))


def draw_crosswalk(canvas: Canvas, street: Street, depth: float, color: Color) -> None:
    """Paint the stripes of a crosswalk."""
    for stripe in range(7):
        offset = (stripe / 3.5 - 0.95) * street.half_width
        corners = ((offset, depth), (offset + 0.7, depth), (offset + 0.7, 1.25 * depth), (offset, 1.25 * depth))
        canvas.polygon([(street.find_x(x, at), street.horizon + at) for x, at in corners], color)


def _trace_road(street: Street) -> tuple[tuple[float, float], ...]:
    """Return the corners of the road as (metres from its middle, depth)."""
    side, far, near = street.half_width, 0.01, street.depth
    return (-side, far), (side, far), (side, near), (-side, near)
