"""A grouped bar chart or dot plot of variants per task, with intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtl_core.report.figures.canvas import (
    COLUMN,
    Drawing,
    axes_in,
    draw_intervals,
    legend_above,
    legend_height,
    width_of,
)
from mtl_core.report.figures.palette import HATCHES, MARKERS, Palette
from mtl_core.report.wording import decimals, shortened

BAR = 0.115
"""Height of one bar in inches."""
GAP = 0.11
"""Space between two tasks in inches."""
DOTS_ROW = 0.2
"""Height of a task in inches if its variants are dots on one line."""
MOST_BARS = 60
"""Maximum number of bars; above it, dots replace the bars."""

Interval = tuple[float, float, float]
"""Mean, lower bound and upper bound."""


@dataclass(frozen=True)
class Series:
    """The estimates of one variant.

    Attributes:
        name: The name of the variant.
        place: The index of the variant, which selects colour, hatch and marker.
        tasks: Task name to its estimate.
    """

    name: str
    place: int
    tasks: Mapping[str, Interval]


def draw_variants(
    name: str, tasks: Sequence[str], series: Sequence[Series], axis: str, shares: bool, palette: Palette
) -> Drawing:
    """Draw one group of bars per task, or of dots if there are more than `MOST_BARS` bars.

    Args:
        name: The name of the figure, also the stem of its file name.
        tasks: The names of the tasks, from top to bottom.
        series: The variants, from top to bottom.
        axis: The label of the value axis.
        shares: Whether the values are proportions, so that the axis is in percent.
        palette: The colours.
    """
    bars = len(tasks) * len(series) <= MOST_BARS
    row = BAR * len(series) + GAP if bars else DOTS_ROW
    legend = legend_height([one.name for one in series])
    labels = [shortened(task) for task in tasks]
    figure = Figure(figsize=(COLUMN, 0.5 + legend + row * len(tasks)))
    axes = axes_in(figure, 0.1 + width_of(labels), 0.4, 0.12, 0.06 + legend)
    draw: Callable[..., Any] = _bars if bars else _dots
    handles = [draw(axes, tasks, series, one, palette) for one in series]
    axes.set_yticks(range(len(tasks)), labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(tasks) - 0.45, -0.55)
    _limits(axes, tasks, series, bars, shares)
    axes.grid(axis="x")
    if not bars:
        axes.grid(axis="y", linewidth=0.4)
    axes.set_xlabel(axis, loc="left")
    legend_above(figure, handles, [one.name for one in series])
    return Drawing(name, figure, _text(tasks, series, axis))


def _bars(
    axes: Axes, tasks: Sequence[str], series: Sequence[Series], one: Series, palette: Palette
) -> BarContainer:
    step = BAR / (BAR * len(series) + GAP)
    offset = (series.index(one) - (len(series) - 1) / 2) * step
    known = [(place, one.tasks[task]) for place, task in enumerate(tasks) if task in one.tasks]
    at = [place + offset for place, _ in known]
    drawn = axes.barh(
        at,
        [mean for _, (mean, _, _) in known],
        height=step * 0.92,
        color=palette.series[one.place % len(palette.series)],
        hatch=HATCHES[one.place % len(HATCHES)],
        edgecolor=palette.paper,
        linewidth=0,
    )
    draw_intervals(axes, at, [(low, high) for _, (_, low, high) in known], palette.ink)
    return drawn


def _dots(axes: Axes, tasks: Sequence[str], series: Sequence[Series], one: Series, palette: Palette) -> Line2D:
    color = palette.series[one.place % len(palette.series)]
    offset = (series.index(one) - (len(series) - 1) / 2) * 0.7 / max(len(series), 1)
    known = [(place + offset, one.tasks[task]) for place, task in enumerate(tasks) if task in one.tasks]
    lows, highs = [low for _, (_, low, _) in known], [high for _, (_, _, high) in known]
    axes.hlines([place for place, _ in known], lows, highs, color=color, linewidth=0.7)
    (drawn,) = axes.plot(
        [mean for _, (mean, _, _) in known],
        [place for place, _ in known],
        linestyle="none",
        marker=MARKERS[one.place % len(MARKERS)],
        markersize=3.6,
        color=color,
        markeredgecolor=palette.paper,
        markeredgewidth=0.4,
    )
    return drawn


def _limits(axes: Axes, tasks: Sequence[str], series: Sequence[Series], bars: bool, shares: bool) -> None:
    values = [value for one in series for task in tasks if task in one.tasks for value in one.tasks[task]]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.04 * (high - low or 1.0)
    start = min(0.0, low - margin if low < 0 else 0.0) if bars else low - margin
    axes.set_xlim(max(0.0, start) if shares else start, min(1.0, high + margin) if shares else high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if shares:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _text(tasks: Sequence[str], series: Sequence[Series], axis: str) -> str:
    said = [
        f"{task}: " + ", ".join(f"{one.name} {decimals(one.tasks[task][0])}" for one in series if task in one.tasks)
        for task in tasks
    ]
    return f"{axis}. {'; '.join(said)}."
