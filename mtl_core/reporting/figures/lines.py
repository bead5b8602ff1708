"""A line chart of values per epoch, for several tasks or pairs of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import COLUMN_WIDTH, add_axes, estimate_text_width
from mtl_core.reporting.figures.palette import DASHES, MARKERS, Palette
from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import format_metric, truncate_label

LEGEND_LINE_HEIGHT = 0.16
"""Height of a line of the legend in inches."""


@dataclass(frozen=True)
class Line:
    """A line: its name, and pairs of epoch and value."""

    name: str
    points: Sequence[tuple[int, float]]


def draw_lines(name: str, lines: Sequence[Line], axis_label: str, show_zero_line: bool, palette: Palette) -> Drawing:
    """Draw lines that differ in colour, dashes and markers, with a legend below.

    Args:
        name: The name of the figure, also the stem of its file name.
        lines: The lines.
        axis_label: The label of the values.
        show_zero_line: Whether to draw a horizontal line at zero.
        palette: The colours.
    """
    legend_size = LEGEND_LINE_HEIGHT * len(lines)
    names = [truncate_label(line.name, 44) for line in lines]
    figure = Figure(figsize=(max(COLUMN_WIDTH, estimate_text_width(names) + 0.6), 2.0 + legend_size))
    axes = add_axes(figure, 0.45, 0.45 + legend_size, 0.1, 0.25)
    if show_zero_line:
        axes.axhline(0, color=palette.ink, linewidth=0.7)
    for index, line in enumerate(lines):
        axes.plot(
            [epoch for epoch, _ in line.points],
            [value for _, value in line.points],
            color=palette.series[index % len(palette.series)],
            linestyle=DASHES[index % len(DASHES)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=3.5,
            linewidth=1.1,
            label=names[index],
        )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.set_xlabel("epoch", loc="left")
    axes.set_title(axis_label, color=palette.muted, fontsize=FONT_SIZE - 0.5, pad=4)
    spacing = LEGEND_LINE_HEIGHT * 72 / FONT_SIZE - 1.22
    figure.legend(loc="lower left", bbox_to_anchor=(0, 0), borderaxespad=0, labelspacing=spacing, handlelength=3)
    descriptions = [
        f"{line.name} from {format_metric(line.points[0][1])} to {format_metric(line.points[-1][1])}"
        for line in lines
        if line.points
    ]
    return Drawing(name, figure, f"{axis_label} over epochs: {'; '.join(descriptions)}.")
