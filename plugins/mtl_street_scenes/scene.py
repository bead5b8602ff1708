"""A scene: a street with objects on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mtl_street_scenes.backdrop import draw_backdrop
from mtl_street_scenes.canvas import UNITS, Canvas
from mtl_street_scenes.classes import CLASSES, KINDS, SURFACES, UNLABELLED, Kind
from mtl_street_scenes.decoys import DECOYS
from mtl_street_scenes.pedestrian import draw_pedestrian
from mtl_street_scenes.perspective import Street, draw_street
from mtl_street_scenes.stop_sign import draw_stop_sign
from mtl_street_scenes.traffic_light import draw_traffic_light
from mtl_street_scenes.vehicle import draw_vehicle
from mtl_street_scenes.weather import add_weather

Draw = Callable[[Canvas, Generator, float, float, float], None]
"""Paints a thing that stands at (x, y), where a metre has this length."""
DRAW: Mapping[Kind, Draw] = {
    "pedestrian": draw_pedestrian,
    "vehicle": draw_vehicle,
    "traffic-light": draw_traffic_light,
    "stop-sign": draw_stop_sign,
}
N_OBJECTS = {"pedestrian": 3, "vehicle": 3, "traffic-light": 2, "stop-sign": 2}
"""Largest number of objects of a kind, if there are any."""
PRESENCE = 0.5
"""Probability that a scene has objects of a kind."""
MIN_VISIBLE = 32
"""Number of visible pixels, in an image of 64 x 64, from which an object counts."""


@dataclass(frozen=True)
class Scene:
    """A picture of a street and what is to be seen in it.

    Attributes:
        image: `(size, size, 3)`, uint8.
        mask: `(size, size)`, uint8: the index in `CLASSES` of what each pixel shows; `UNLABELLED` for objects that
            are too small or too hidden to count.
        counts: The number of visible objects of each kind.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    counts: Mapping[Kind, int]


def draw_scene(index: int, seed: int = 0, size: int = 64) -> Scene:
    """Draw a scene.

    Args:
        index: The number of the scene; each has its own random numbers, so that it can be drawn without the others.
        seed: The seed of all scenes.
        size: Width and height in pixels.

    Returns:
        The scene: equal arguments give equal bytes.

    Example:
        >>> draw_scene(0).image.shape
        (64, 64, 3)
    """
    rng = np.random.default_rng([seed, index])
    canvas = Canvas(size)
    street = draw_street(rng)
    draw_backdrop(canvas, rng, street)
    things = [draw for kind in KINDS for draw in [DRAW[kind]] * draw_count(rng, kind)]
    things += [DECOYS[choice] for choice in rng.integers(len(DECOYS), size=rng.integers(5))]
    # From far to near, so that what is nearer hides what is behind it.
    for _, paint in sorted((place_thing(canvas, rng, street, draw) for draw in things), key=lambda placed: placed[0]):
        paint()
    image, owners = canvas.render()
    mask, counts = count_objects(canvas, owners)
    return Scene(add_weather(rng, image), mask, counts)


def draw_count(rng: Generator, kind: Kind) -> int:
    """Draw the number of objects of a kind: none in half of the scenes."""
    return int(rng.integers(1, N_OBJECTS[kind] + 1)) if rng.random() < PRESENCE else 0


def place_thing(canvas: Canvas, rng: Generator, street: Street, draw: Draw) -> tuple[float, Callable[[], None]]:
    """Choose the place of a thing: vehicles on the road, most others next to it.

    Returns:
        Its depth, and a function that paints it.
    """
    on_road = draw is draw_vehicle or (draw is draw_pedestrian and rng.random() < 0.4)
    depth = street.depth * rng.uniform(0.42, 0.95)
    x = _draw_x(rng, street, depth, on_road)
    y = street.horizon + depth
    return depth, partial(draw, canvas, rng.spawn(1)[0], x, y, street.measure_metre(depth))


def _draw_x(rng: Generator, street: Street, depth: float, on_road: bool) -> float:
    """Draw an x within the picture, on the road or next to it."""
    margin = 3
    left, right = (street.find_x(side * street.half_width, depth) for side in (-1, 1))
    if on_road:
        return float(rng.uniform(max(left, margin), min(right, UNITS - margin)))
    ranges = [(margin, left - 1), (right + 1, UNITS - margin)]
    widths = np.maximum([end - start for start, end in ranges], 0.5)
    start, end = ranges[rng.choice(2, p=widths / widths.sum())]
    return float(np.clip(rng.uniform(min(start, end), max(start, end)), margin, UNITS - margin))


def count_objects(canvas: Canvas, owners: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], dict[Kind, int]]:
    """Return the mask of classes, and how many objects of each kind are visible.

    Args:
        canvas: The canvas, which knows the kind of each object.
        owners: `(size, size)`, uint8, from `Canvas.render`.
    """
    n_visible = np.bincount(owners.ravel(), minlength=len(SURFACES) + len(canvas.objects))[len(SURFACES) :]
    counted = n_visible >= MIN_VISIBLE * (canvas.size / UNITS) ** 2
    values = [
        CLASSES.index(kind) if is_visible else UNLABELLED
        for kind, is_visible in zip(canvas.objects, counted, strict=True)
    ]
    mask = np.array([*range(len(SURFACES)), *values], dtype=np.uint8)[owners]
    return mask, {
        kind: sum(bool(is_visible) for other, is_visible in zip(canvas.objects, counted, strict=True) if other == kind)
        for kind in KINDS
    }
