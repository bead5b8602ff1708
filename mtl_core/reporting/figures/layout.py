"""Layout of figures in inches: axes, intervals and legends."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import truncate_label

COLUMN_WIDTH = 3.3
"""Width of a figure in inches: one column of a paper, or the screen of a phone."""
LEGEND_LINE_HEIGHT = 0.17
"""Height of a line of the legend in inches."""
MAX_HALF_COLUMN_NAME = 22
"""Maximum number of characters per name in a legend with two columns."""


def add_axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Add axes with margins in inches, which is much faster than measuring every label."""
    width, height = figure.get_size_inches()
    bounds = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure.add_axes(bounds)


def draw_intervals(
    axes: Axes, positions: Sequence[float], intervals: Sequence[tuple[float, float]], color: str
) -> None:
    """Draw horizontal error bars with caps as two artists."""
    lows, highs = [low for low, _ in intervals], [high for _, high in intervals]
    axes.hlines(positions, lows, highs, color=color, linewidth=0.9, zorder=3)
    cap_positions = [*positions, *positions]
    axes.plot(
        [*lows, *highs],
        cap_positions,
        linestyle="none",
        marker="|",
        markersize=3.5,
        markeredgewidth=0.9,
        color=color,
    )


def estimate_text_width(texts: Sequence[str]) -> float:
    """Estimate the width in inches of the longest label."""
    return max((len(text) for text in texts), default=0) * (FONT_SIZE - 0.5) * 0.58 / 72


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """Add a legend of height `compute_legend_height` at the top, in two columns if all names are short."""
    figure.legend(
        handles,
        [truncate_label(name, 44) for name in names],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=_count_legend_columns(names),
        borderaxespad=0.1,
        columnspacing=1.2,
        labelspacing=LEGEND_LINE_HEIGHT * 72 / FONT_SIZE - 1.25,
    )


def compute_legend_height(names: Sequence[str]) -> float:
    """Compute the height in inches of the legend that `add_legend` adds."""
    columns = _count_legend_columns(names)
    return LEGEND_LINE_HEIGHT * ((len(names) + columns - 1) // columns)


def _count_legend_columns(names: Sequence[str]) -> int:
    return 2 if all(len(name) <= MAX_HALF_COLUMN_NAME for name in names) else 1
