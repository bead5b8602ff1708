"""A square of numbers between tasks, shaded by size and sign."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from mtl_core.report.figures.canvas import FONT, Drawing, axes_in, width_of
from mtl_core.report.figures.palette import Palette
from mtl_core.report.interactions import Matrix
from mtl_core.report.wording import MINUS, enumerated, shortened

CELL = 0.44
"""Inches of a cell with a number in it."""
MOST_NUMBERS = 16
"""With more tasks than this, cells are too small for numbers."""
LARGEST = 8.0
"""Inches that the square may take."""
STRONGEST = 0.7
"""How much of the colour the largest number has, so that what is printed on it stays legible."""
SMALL = 0.1
"""Where no number is as large, they are printed in a smaller unit."""
SHADES = 14
"""Shades of each sign that are told apart."""
Values = NDArray[np.float64]
_CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
_CODES = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]


def draw_heat(
    name: str,
    tasks: Sequence[str],
    matrix: Matrix,
    palette: Palette,
    limit: float,
) -> Drawing:
    """Draw a square, the colour of a cell by its sign, its strength by its size, the number printed in it.

    Args:
        name: The drawing's name.
        tasks: What stands at rows and columns.
        matrix: The numbers; None is left blank.
        palette: The colours.
        limit: The size that has the full colour, as have all above it.
    """
    numbered = len(tasks) <= MOST_NUMBERS
    side = CELL * len(tasks) if numbered else min(LARGEST, 0.16 * len(tasks))
    labels = [shortened(task, 22) for task in tasks]
    margin = 0.1 + width_of(labels)
    figure = Figure(figsize=(side + margin + 0.1, side + margin + 0.1))
    axes = axes_in(figure, margin, margin, 0.1, 0.1)
    values = np.array([[np.nan if value is None else value for value in row] for row in matrix], dtype=np.float64)
    axes.set_xlim(-0.5, len(tasks) - 0.5)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    _cells(axes, values, limit, palette)
    factor, places = 10 ** unit(limit), 2 if limit >= SMALL else 1
    if numbered:
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                written = f"{value * factor:+.{places}f}".replace("-", MINUS)
                axes.text(column, row, written, ha="center", va="center", fontsize=FONT - 1)
    size = FONT - 0.5 if numbered else min(FONT - 1, 72 * side / len(tasks))
    axes.set_xticks(range(len(tasks)), labels, rotation=90, fontsize=size)
    axes.set_yticks(range(len(tasks)), labels, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Drawing(name, figure, _text(tasks, values))


def unit(limit: float) -> int:
    """Give the n of the unit, 10 to the power of -n, in which numbers up to a limit are printed."""
    return 0 if limit >= SMALL else math.ceil(-math.log10(limit))


def _cells(axes: Axes, values: Values, scale: float, palette: Palette) -> None:
    """Draw the cells of one shade as one path: ten thousand single ones would make a page heavy."""
    shade = np.clip(np.abs(values) / scale, 0, 1) * SHADES
    for level in range(1, SHADES + 1):
        for positive in (True, False):
            chosen = (np.ceil(shade) == level) & ((values > 0) == positive)
            if chosen.any():
                color = palette.positive if positive else palette.negative
                path = _squares(np.argwhere(chosen))
                strength = STRONGEST * level / SHADES
                patch = PathPatch(path, facecolor=color, alpha=strength, linewidth=0, antialiased=False)
                axes.add_artist(patch)  # `add_patch` would look at every corner for the limits, which are known


def _squares(places: NDArray[np.intp]) -> Path:
    """Squares around `(cells, 2)` rows and columns, as one path."""
    corners = places[:, None, ::-1] + _CORNERS
    return Path(corners.reshape(-1, 2), np.tile(_CODES, len(places)))


def _text(tasks: Sequence[str], values: Values) -> str:
    said = [
        f"{tasks[row]} and {tasks[column]} {value:+.2f}"
        for (row, column), value in np.ndenumerate(values)
        if row < column and not np.isnan(value)
    ]
    return f"Heat map of {len(tasks)} tasks. {enumerated(said, 45) if said else 'Nothing was measured'}."
