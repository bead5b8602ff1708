"""A forest plot: differences with their intervals around the line of no difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import (
    COLUMN_WIDTH,
    add_axes,
    add_legend,
    compute_legend_height,
    estimate_text_width,
)
from mtl_core.reporting.figures.palette import MARKERS, Palette
from mtl_core.reporting.formatting import MINUS_SIGN, truncate_label

LINE_HEIGHT = 0.13
"""Height of one difference in inches."""
TASK_GAP = 0.1
"""Space between two tasks in inches."""


@dataclass(frozen=True)
class PlottedDifference:
    """A difference with its interval; it is significant if the interval excludes zero."""

    mean: float
    low: float
    high: float
    is_significant: bool


@dataclass(frozen=True)
class DifferenceSeries:
    """The differences of one variant: name, index (selects colour and marker), row name to difference."""

    name: str
    style_index: int
    differences: Mapping[str, PlottedDifference]


def draw_forest_plot(
    name: str,
    rows: Sequence[str],
    series: Sequence[DifferenceSeries],
    axis_label: str,
    in_percentage_points: bool,
    palette: Palette,
    show_legend: bool = True,
) -> Drawing:
    """Draw one line per difference, with a hollow marker if the interval contains zero.

    Args:
        name: The name of the figure, also the stem of its file name.
        rows: The names of the tasks, from top to bottom.
        series: The variants, from top to bottom.
        axis_label: The label of the axis of differences.
        in_percentage_points: Whether the axis shows percentage points, for differences of proportions.
        palette: The colours.
        show_legend: Whether a legend lists the variants.
    """
    row_height = LINE_HEIGHT * max(len(series), 1) + TASK_GAP
    legend = compute_legend_height([one.name for one in series]) if show_legend else 0.0
    labels = [truncate_label(one) for one in rows]
    figure = Figure(figsize=(COLUMN_WIDTH, 0.5 + legend + row_height * len(rows)))
    axes = add_axes(figure, 0.1 + estimate_text_width(labels), 0.4, 0.12, 0.06 + legend)
    axes.axvline(0, color=palette.ink, linewidth=0.8)
    for series_index, one in enumerate(series):
        offset = (series_index - (len(series) - 1) / 2) * LINE_HEIGHT / row_height
        _draw_series(
            axes,
            [(index + offset, one.differences[name]) for index, name in enumerate(rows) if name in one.differences],
            one,
            palette,
        )
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    factor = 100 if in_percentage_points else 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _format_signed(value * factor)))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis_label, loc="right")  # a long label may extend below the task names
    if show_legend:
        add_legend(figure, [_build_legend_handle(one, palette) for one in series], [one.name for one in series])
    return Drawing(name, figure, _describe(rows, series, axis_label, factor))


def _draw_series(
    axes: Axes,
    differences: Sequence[tuple[float, PlottedDifference]],
    variant_series: DifferenceSeries,
    palette: Palette,
) -> None:
    """Draw the intervals of one variant, then its filled markers, then its hollow ones."""
    color = palette.series[variant_series.style_index % len(palette.series)]
    lows, highs = (
        [difference.low for _, difference in differences],
        [difference.high for _, difference in differences],
    )
    axes.hlines([position for position, _ in differences], lows, highs, color=color, linewidth=1.2)
    for is_significant in (True, False):
        axes.plot(
            [difference.mean for _, difference in differences if difference.is_significant == is_significant],
            [position for position, difference in differences if difference.is_significant == is_significant],
            linestyle="none",
            marker=MARKERS[variant_series.style_index % len(MARKERS)],
            markersize=4.5,
            color=color,
            markerfacecolor=color if is_significant else palette.paper,
            markeredgewidth=1,
            zorder=4,
        )


def _format_signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", MINUS_SIGN) if abs(value) > 1e-12 else "0"


def _build_legend_handle(variant_series: DifferenceSeries, palette: Palette) -> Line2D:
    color = palette.series[variant_series.style_index % len(palette.series)]
    return Line2D(
        [],
        [],
        color=color,
        marker=MARKERS[variant_series.style_index % len(MARKERS)],
        markersize=4.5,
        linewidth=1.2,
    )


def _describe(rows: Sequence[str], series: Sequence[DifferenceSeries], axis_label: str, factor: int) -> str:
    descriptions = [
        f"{one.name}, {row}: {difference.mean * factor:+.3g} "
        f"({difference.low * factor:+.3g} to {difference.high * factor:+.3g})"
        for row in rows
        for one in series
        if (difference := one.differences.get(row)) is not None
    ]
    return f"{axis_label}. {'; '.join(descriptions)}."
