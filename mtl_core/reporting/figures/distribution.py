"""The distribution of a metric over many tasks: a histogram and a cumulative curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import COLUMN_WIDTH, add_axes, add_legend, compute_legend_height
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import format_count, format_metric

N_BINS = 24
"""Number of bins of the histogram."""
HEIGHT = 2.2
"""Height of a figure without its legend, in inches."""


@dataclass(frozen=True)
class Distribution:
    """The values of a metric over tasks.

    Attributes:
        name: The name of the figure, also the stem of its file name.
        axis_label: The label of the value axis.
        values: The value of each task.
        baselines: The baseline of each task; empty if `reference` replaces them.
        baseline_label: The label of the baselines in the legend.
        reference: The value of the baseline if it is equal for all tasks; None otherwise.
        is_proportion: Whether values are proportions.
    """

    name: str
    axis_label: str
    values: Sequence[float]
    baselines: Sequence[float]
    baseline_label: str
    reference: float | None = None
    is_proportion: bool = False


def draw_histogram(distribution: Distribution, palette: Palette) -> Drawing:
    """Draw the number of tasks per interval of the metric, of the network as bars and of the baseline as an outline."""
    figure, axes = _create_axes(distribution, palette)
    low, high = _compute_limits(distribution)
    axes.hist(distribution.values, bins=N_BINS, range=(low, high), color=palette.series[0], alpha=0.75)
    if distribution.baselines:
        axes.hist(
            distribution.baselines,
            bins=N_BINS,
            range=(low, high),
            histtype="step",
            color=palette.series[5],
            linewidth=1.2,
        )
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y")
    _finish_axes(axes, distribution, "tasks", palette)
    text = f"Histogram of {distribution.axis_label} over {format_count(len(distribution.values))} tasks"
    return Drawing(
        f"{distribution.name}-histogram", figure, f"{text}; median {format_metric(median(distribution.values))}."
    )


def draw_cumulative(distribution: Distribution, palette: Palette) -> Drawing:
    """Draw the share of tasks whose value is at most x: the empirical distribution function."""
    figure, axes = _create_axes(distribution, palette)
    axes.ecdf(distribution.values, color=palette.series[0])
    if distribution.baselines:
        axes.ecdf(distribution.baselines, color=palette.series[5], linestyle="--")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid(axis="y")
    _finish_axes(axes, distribution, "share of tasks", palette)
    text = f"Cumulative distribution of {distribution.axis_label} over {format_count(len(distribution.values))} tasks."
    return Drawing(f"{distribution.name}-cumulative", figure, text)


def _create_axes(distribution: Distribution, palette: Palette) -> tuple[Figure, Axes]:
    names = ["network", distribution.baseline_label]
    handles = [
        Line2D([], [], color=palette.series[0], linewidth=3),
        Line2D([], [], color=palette.series[5], linestyle="--"),
    ]
    figure = Figure(figsize=(COLUMN_WIDTH, HEIGHT + compute_legend_height(names)))
    add_legend(figure, handles, names)
    return figure, add_axes(figure, 0.55, 0.42, 0.2, 0.25 + compute_legend_height(names))


def _finish_axes(axes: Axes, distribution: Distribution, title: str, palette: Palette) -> None:
    axes.set_xlim(*_compute_limits(distribution))
    if distribution.reference is not None:
        axes.axvline(distribution.reference, color=palette.series[5], linestyle="--", linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if distribution.is_proportion:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_xlabel(distribution.axis_label, loc="left")
    axes.set_title(title, color=palette.muted, fontsize=FONT_SIZE - 0.5, pad=4)


def _compute_limits(distribution: Distribution) -> tuple[float, float]:
    reference = [] if distribution.reference is None else [distribution.reference]
    numbers = [*distribution.values, *distribution.baselines, *reference]
    low, high = min(numbers), max(numbers)
    if low >= 0 and high <= 1:
        return min(low, 0.5) if low >= 0.4 else 0.0, 1.0
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin
