"""A line chart of values per epoch, for several tasks or pairs of tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtl_core.report.figures.canvas import COLUMN, FONT, Drawing, axes_in, width_of
from mtl_core.report.figures.palette import DASHES, MARKERS, Palette
from mtl_core.report.wording import decimals, shortened

LINE = 0.16
"""Height of a line of the legend in inches."""


@dataclass(frozen=True)
class Line:
    """A line: its name, and pairs of epoch and value."""

    name: str
    points: Sequence[tuple[int, float]]


def draw_lines(name: str, lines: Sequence[Line], axis: str, zero: bool, palette: Palette) -> Drawing:
    """Draw lines that differ in colour, dashes and markers, with a legend below.

    Args:
        name: The name of the figure, also the stem of its file name.
        lines: The lines.
        axis: The label of the values.
        zero: Whether to draw a horizontal line at zero.
        palette: The colours.
    """
    legend = LINE * len(lines)
    names = [shortened(line.name, 44) for line in lines]
    figure = Figure(figsize=(max(COLUMN, width_of(names) + 0.6), 2.0 + legend))
    axes = axes_in(figure, 0.45, 0.45 + legend, 0.1, 0.25)
    if zero:
        axes.axhline(0, color=palette.ink, linewidth=0.7)
    for place, line in enumerate(lines):
        axes.plot(
            [epoch for epoch, _ in line.points],
            [value for _, value in line.points],
            color=palette.series[place % len(palette.series)],
            linestyle=DASHES[place % len(DASHES)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=3.5,
            linewidth=1.1,
            label=names[place],
        )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.set_xlabel("epoch", loc="left")
    axes.set_title(axis, color=palette.muted, fontsize=FONT - 0.5, pad=4)
    spacing = LINE * 72 / FONT - 1.22
    figure.legend(loc="lower left", bbox_to_anchor=(0, 0), borderaxespad=0, labelspacing=spacing, handlelength=3)
    said = [
        f"{line.name} from {decimals(line.points[0][1])} to {decimals(line.points[-1][1])}"
        for line in lines
        if line.points
    ]
    return Drawing(name, figure, f"{axis} over epochs: {'; '.join(said)}.")
