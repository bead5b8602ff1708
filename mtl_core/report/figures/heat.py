"""A heat map of a matrix of tasks, coloured by sign and magnitude."""

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
"""Size of a cell with a number in inches."""
MOST_NUMBERS = 16
"""Maximum number of tasks for which numbers are printed into the cells."""
LARGEST = 8.0
"""Maximum size of the heat map in inches."""
STRONGEST = 0.7
"""Opacity of the largest value, limited so that the number in the cell stays legible."""
SMALL = 0.1
"""If all values are smaller than this, numbers are printed in a smaller unit."""
SHADES = 14
"""Number of distinct shades per sign."""
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
    """Draw a heat map; the sign of a value determines the hue of its cell, the magnitude the opacity.

    Args:
        name: The name of the figure, also the stem of its file name.
        tasks: The labels of rows and columns.
        matrix: `(tasks, tasks)`: the values; cells with None stay blank.
        palette: The colours.
        limit: The magnitude with full colour; larger values are clipped.
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
    """Compute the exponent n of the unit 10^-n in which numbers up to a limit are printed."""
    return 0 if limit >= SMALL else math.ceil(-math.log10(limit))


def _cells(axes: Axes, values: Values, scale: float, palette: Palette) -> None:
    """Draw all cells of one shade as one path, which keeps the page small for many tasks."""
    shade = np.clip(np.abs(values) / scale, 0, 1) * SHADES
    for level in range(1, SHADES + 1):
        for positive in (True, False):
            chosen = (np.ceil(shade) == level) & ((values > 0) == positive)
            if chosen.any():
                color = palette.positive if positive else palette.negative
                path = _squares(np.argwhere(chosen))
                strength = STRONGEST * level / SHADES
                patch = PathPatch(path, facecolor=color, alpha=strength, linewidth=0, antialiased=False)
                axes.add_artist(patch)  # `add_patch` would update the limits from every corner; they are fixed


def _squares(places: NDArray[np.intp]) -> Path:
    """Build one path of squares around the `(cells, 2)` rows and columns."""
    corners = places[:, None, ::-1] + _CORNERS
    return Path(corners.reshape(-1, 2), np.tile(_CODES, len(places)))


def _text(tasks: Sequence[str], values: Values) -> str:
    said = [
        f"{tasks[row]} and {tasks[column]} {value:+.2f}"
        for (row, column), value in np.ndenumerate(values)
        if row < column and not np.isnan(value)
    ]
    return f"Heat map of {len(tasks)} tasks. {enumerated(said, 45) if said else 'No values'}."
