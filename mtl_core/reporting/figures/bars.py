"""A bar chart of the metric of each task with its interval and its baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import COLUMN_WIDTH, add_axes, draw_intervals, estimate_text_width
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import format_metric, format_percent, join_with_and, truncate_label

ROW_HEIGHT = 0.24
"""Height of a bar in inches."""


@dataclass(frozen=True)
class Bar:
    """One task.

    Attributes:
        name: The name of the task.
        value: The value of its metric; None if it is undefined.
        formatted_value: The formatted value, printed next to the bar.
        baseline: The value of the baseline; None if it is undefined.
        low: Lower bound of the interval; None without an interval.
        high: Upper bound of the interval; None without an interval.
    """

    name: str
    value: float | None
    formatted_value: str
    baseline: float | None
    low: float | None = None
    high: float | None = None


def draw_bars(
    name: str, bars: Sequence[Bar], axis_label: str, is_proportion: bool, baseline_label: str, palette: Palette
) -> Drawing:
    """Draw one horizontal bar per task, from top to bottom.

    Args:
        name: The name of the figure, also the stem of its file name.
        bars: The tasks.
        axis_label: The label of the value axis.
        is_proportion: Whether the values are proportions, so that the axis ranges from 0 to 100 %.
        baseline_label: The label of the baseline in the legend.
        palette: The colours.
    """
    labels = [truncate_label(bar.name) for bar in bars]
    figure = Figure(figsize=(COLUMN_WIDTH, 0.72 + ROW_HEIGHT * len(bars)))
    axes = add_axes(figure, 0.1 + estimate_text_width(labels), 0.4, 0.5, 0.28)
    indices = range(len(bars))
    axes.barh(indices, [bar.value or 0 for bar in bars], height=0.62, color=palette.series[0], alpha=0.75)
    intervals = [(index, (bar.low, bar.high)) for index, bar in enumerate(bars)]
    complete_intervals = [
        (index, (low, high)) for index, (low, high) in intervals if low is not None and high is not None
    ]
    draw_intervals(
        axes, [index for index, _ in complete_intervals], [ends for _, ends in complete_intervals], palette.ink
    )
    for index, bar in enumerate(bars):
        axes.annotate(bar.formatted_value, (1, index), (4, 0), ("axes fraction", "data"), "offset points", va="center")
    baselines = [(bar.baseline, index) for index, bar in enumerate(bars) if bar.baseline is not None]
    axes.plot(
        [value for value, _ in baselines],
        [index for _, index in baselines],
        linestyle="none",
        marker="|",
        markersize=ROW_HEIGHT * 72 * 0.8,
        markeredgewidth=2,
        color=palette.series[5],
        clip_on=False,
        zorder=4,
    )
    axes.set_yticks(indices, labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(*_compute_limits(bars, is_proportion))
    axes.xaxis.set_major_locator(MaxNLocator(2 if is_proportion else 4))
    if is_proportion:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid(axis="x")
    axes.set_xlabel(axis_label, loc="left")
    legend_handle = Line2D(
        [], [], linestyle="none", marker="|", markersize=9, markeredgewidth=2, color=palette.series[5]
    )
    axes.legend(
        [legend_handle],
        [baseline_label],
        loc="lower left",
        bbox_to_anchor=(-0.03, 1),
        borderaxespad=0,
        handletextpad=0,
    )
    return Drawing(name, figure, _describe(bars, axis_label, is_proportion, baseline_label))


def _compute_limits(bars: Sequence[Bar], is_proportion: bool) -> tuple[float, float]:
    if is_proportion:
        return 0.0, 1.0
    if all(bar.value is None or 0 <= bar.value <= 1 for bar in bars) and not any(bar.baseline == 1 for bar in bars):
        return 0.0, 1.0
    ends = [value for bar in bars for value in (bar.value, bar.baseline, bar.high) if value is not None]
    starts = [value for bar in bars for value in (bar.value, bar.baseline, bar.low) if value is not None]
    low, high = min([0.0, *starts]), max([0.0, *ends])
    return 1.05 * low, 1.05 * high if high > low else 1.0


def _describe(bars: Sequence[Bar], axis_label: str, is_proportion: bool, baseline_label: str) -> str:
    format_value = format_percent if is_proportion else format_metric
    descriptions = [
        f"{bar.name} {bar.formatted_value}"
        + (f" ({baseline_label} {format_value(bar.baseline)})" if bar.baseline is not None else "")
        for bar in bars
    ]
    return f"Bar chart of {axis_label}: {join_with_and(descriptions, len(descriptions))}."
