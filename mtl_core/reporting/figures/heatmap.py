"""A heat map of a matrix of tasks, coloured by sign and magnitude."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from mtl_core.artifacts.interactions import Matrix
from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import add_axes, estimate_text_width
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import MINUS_SIGN, join_with_and, truncate_label

CELL_SIZE = 0.44
"""Size of a cell with a number in inches."""
MAX_NUMBERED_TASKS = 16
"""Maximum number of tasks for which numbers are printed into the cells."""
MAX_SIZE = 8.0
"""Maximum size of the heat map in inches."""
MAX_OPACITY = 0.7
"""Opacity of the largest value, limited so that the number in the cell stays legible."""
SMALL_LIMIT = 0.1
"""If all values are smaller than this, numbers are printed in a smaller unit."""
N_SHADES = 14
"""Number of distinct shades per sign."""
Values = NDArray[np.float64]
_CORNER_OFFSETS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
_PATH_CODES = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]


def draw_heatmap(
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
    has_numbers = len(tasks) <= MAX_NUMBERED_TASKS
    map_size = CELL_SIZE * len(tasks) if has_numbers else min(MAX_SIZE, 0.16 * len(tasks))
    labels = [truncate_label(task, 22) for task in tasks]
    margin = 0.1 + estimate_text_width(labels)
    figure = Figure(figsize=(map_size + margin + 0.1, map_size + margin + 0.1))
    axes = add_axes(figure, margin, margin, 0.1, 0.1)
    values = np.array([[np.nan if value is None else value for value in row] for row in matrix], dtype=np.float64)
    axes.set_xlim(-0.5, len(tasks) - 0.5)
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    _draw_cells(axes, values, limit, palette)
    factor, n_decimals = 10 ** compute_unit_exponent(limit), 2 if limit >= SMALL_LIMIT else 1
    if has_numbers:
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                text = f"{value * factor:+.{n_decimals}f}".replace("-", MINUS_SIGN)
                axes.text(column, row, text, ha="center", va="center", fontsize=FONT_SIZE - 1)
    font_size = FONT_SIZE - 0.5 if has_numbers else min(FONT_SIZE - 1, 72 * map_size / len(tasks))
    axes.set_xticks(range(len(tasks)), labels, rotation=90, fontsize=font_size)
    axes.set_yticks(range(len(tasks)), labels, fontsize=font_size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Drawing(name, figure, _describe(tasks, values))


def compute_unit_exponent(limit: float) -> int:
    """Compute the exponent n of the unit 10^-n in which numbers up to a limit are printed."""
    return 0 if limit >= SMALL_LIMIT else math.ceil(-math.log10(limit))


def _draw_cells(axes: Axes, values: Values, scale: float, palette: Palette) -> None:
    """Draw all cells of one shade as one path, which keeps the page small for many tasks."""
    levels = np.clip(np.abs(values) / scale, 0, 1) * N_SHADES
    for level in range(1, N_SHADES + 1):
        for positive in (True, False):
            cell_mask = (np.ceil(levels) == level) & ((values > 0) == positive)
            if cell_mask.any():
                color = palette.positive if positive else palette.negative
                path = _build_squares(np.argwhere(cell_mask))
                opacity = MAX_OPACITY * level / N_SHADES
                patch = PathPatch(path, facecolor=color, alpha=opacity, linewidth=0, antialiased=False)
                axes.add_artist(patch)  # `add_patch` would update the limits from every corner; they are fixed


def _build_squares(cells: NDArray[np.intp]) -> Path:
    """Build one path of squares around the `(cells, 2)` rows and columns."""
    corners = cells[:, None, ::-1] + _CORNER_OFFSETS
    return Path(corners.reshape(-1, 2), np.tile(_PATH_CODES, len(cells)))


def _describe(tasks: Sequence[str], values: Values) -> str:
    descriptions = [
        f"{tasks[row]} and {tasks[column]} {value:+.2f}"
        for (row, column), value in np.ndenumerate(values)
        if row < column and not np.isnan(value)
    ]
    return f"Heat map of {len(tasks)} tasks. {join_with_and(descriptions, 45) if descriptions else 'No values'}."
