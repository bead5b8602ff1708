"""Random colors."""

from collections.abc import Sequence

from numpy.random import Generator

from mtl_street_scenes.canvas import Color


def draw_color(rng: Generator, low: int = 20, high: int = 235) -> Color:
    """Draw any color."""
    red, green, blue = rng.integers(low, high, size=3).tolist()
    return red, green, blue


def vary_color(rng: Generator, color: Color, spread: int = 18) -> Color:
    """Draw a color near another one."""
    return shade_color(color, 1.0, rng.integers(-spread, spread + 1, size=3).tolist())


def shade_color(color: Color, factor: float, offsets: Sequence[int] = (0, 0, 0)) -> Color:
    """Make a color darker (factor below 1) or lighter."""
    red, green, blue = (
        min(255, max(0, round(value * factor) + offset)) for value, offset in zip(color, offsets, strict=True)
    )
    return red, green, blue


def mix_colors(first: Color, second: Color, share: float) -> Color:
    """Return a mixture with this share of the second color."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
