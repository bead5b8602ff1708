"""A grouped bar chart or dot plot of variants per task, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import (
    COLUMN_WIDTH,
    add_axes,
    add_legend,
    compute_legend_height,
    draw_intervals,
    estimate_text_width,
)
from mtl_core.reporting.figures.palette import HATCHES, MARKERS, Palette
from mtl_core.reporting.formatting import format_metric, truncate_label

BAR_HEIGHT = 0.115
"""Height of one bar in inches."""
TASK_GAP = 0.11
"""Space between two tasks in inches."""
DOT_ROW_HEIGHT = 0.2
"""Height of a task in inches if its variants are dots on one line."""
MAX_BARS = 60
"""Maximum number of bars; above it, dots replace the bars."""

Interval = tuple[float, float, float]
"""Mean, lower bound and upper bound."""


@dataclass(frozen=True)
class VariantSeries:
    """The estimates of one variant.

    Attributes:
        name: The name of the variant.
        style_index: The index of the variant, which selects colour, hatch and marker.
        estimates: Task name to its estimate.
    """

    name: str
    style_index: int
    estimates: Mapping[str, Interval]


def draw_variant_bars(
    name: str,
    tasks: Sequence[str],
    series: Sequence[VariantSeries],
    axis_label: str,
    is_proportion: bool,
    palette: Palette,
) -> Drawing:
    """Draw one group of bars per task, or of dots if there are more than `MAX_BARS` bars.

    Args:
        name: The name of the figure, also the stem of its file name.
        tasks: The names of the tasks, from top to bottom.
        series: The variants, from top to bottom.
        axis_label: The label of the value axis.
        is_proportion: Whether the values are proportions, so that the axis is in percent.
        palette: The colours.
    """
    use_bars = len(tasks) * len(series) <= MAX_BARS
    row_height = BAR_HEIGHT * len(series) + TASK_GAP if use_bars else DOT_ROW_HEIGHT
    legend = compute_legend_height([one.name for one in series])
    labels = [truncate_label(task) for task in tasks]
    figure = Figure(figsize=(COLUMN_WIDTH, 0.5 + legend + row_height * len(tasks)))
    axes = add_axes(figure, 0.1 + estimate_text_width(labels), 0.4, 0.12, 0.06 + legend)
    draw_variant: Callable[..., Any] = _draw_bars if use_bars else _draw_dots
    handles = [draw_variant(axes, tasks, series, one, palette) for one in series]
    axes.set_yticks(range(len(tasks)), labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(tasks) - 0.45, -0.55)
    _set_limits(axes, tasks, series, use_bars, is_proportion)
    axes.grid(axis="x")
    if not use_bars:
        axes.grid(axis="y", linewidth=0.4)
    axes.set_xlabel(axis_label, loc="left")
    add_legend(figure, handles, [one.name for one in series])
    return Drawing(name, figure, _describe(tasks, series, axis_label))


def _draw_bars(
    axes: Axes, tasks: Sequence[str], series: Sequence[VariantSeries], variant: VariantSeries, palette: Palette
) -> BarContainer:
    step = BAR_HEIGHT / (BAR_HEIGHT * len(series) + TASK_GAP)
    offset = (series.index(variant) - (len(series) - 1) / 2) * step
    estimates = [(index, variant.estimates[task]) for index, task in enumerate(tasks) if task in variant.estimates]
    positions = [index + offset for index, _ in estimates]
    bar_container = axes.barh(
        positions,
        [mean for _, (mean, _, _) in estimates],
        height=step * 0.92,
        color=palette.series[variant.style_index % len(palette.series)],
        hatch=HATCHES[variant.style_index % len(HATCHES)],
        edgecolor=palette.paper,
        linewidth=0,
    )
    draw_intervals(axes, positions, [(low, high) for _, (_, low, high) in estimates], palette.ink)
    return bar_container


def _draw_dots(
    axes: Axes, tasks: Sequence[str], series: Sequence[VariantSeries], variant: VariantSeries, palette: Palette
) -> Line2D:
    color = palette.series[variant.style_index % len(palette.series)]
    offset = (series.index(variant) - (len(series) - 1) / 2) * 0.7 / max(len(series), 1)
    estimates = [
        (position + offset, variant.estimates[task]) for position, task in enumerate(tasks) if task in variant.estimates
    ]
    lows, highs = [low for _, (_, low, _) in estimates], [high for _, (_, _, high) in estimates]
    axes.hlines([position for position, _ in estimates], lows, highs, color=color, linewidth=0.7)
    (line,) = axes.plot(
        [mean for _, (mean, _, _) in estimates],
        [position for position, _ in estimates],
        linestyle="none",
        marker=MARKERS[variant.style_index % len(MARKERS)],
        markersize=3.6,
        color=color,
        markeredgecolor=palette.paper,
        markeredgewidth=0.4,
    )
    return line


def _set_limits(
    axes: Axes, tasks: Sequence[str], series: Sequence[VariantSeries], use_bars: bool, is_proportion: bool
) -> None:
    values = [value for one in series for task in tasks if task in one.estimates for value in one.estimates[task]]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.04 * (high - low or 1.0)
    start = min(0.0, low - margin if low < 0 else 0.0) if use_bars else low - margin
    axes.set_xlim(
        max(0.0, start) if is_proportion else start, min(1.0, high + margin) if is_proportion else high + margin
    )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if is_proportion:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _describe(tasks: Sequence[str], series: Sequence[VariantSeries], axis_label: str) -> str:
    descriptions = [
        f"{task}: "
        + ", ".join(f"{one.name} {format_metric(one.estimates[task][0])}" for one in series if task in one.estimates)
        for task in tasks
    ]
    return f"{axis_label}. {'; '.join(descriptions)}."
