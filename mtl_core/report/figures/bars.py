"""A bar chart of the metric of each task with its interval and its baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtl_core.report.figures.canvas import COLUMN, Drawing, axes_in, draw_intervals, width_of
from mtl_core.report.figures.palette import Palette
from mtl_core.report.wording import decimals, enumerated, percent, shortened

ROW = 0.24
"""Height of a bar in inches."""


@dataclass(frozen=True)
class Bar:
    """One task.

    Attributes:
        name: The name of the task.
        value: The value of its metric; None if it is undefined.
        written: The formatted value, printed next to the bar.
        baseline: The value of the baseline; None if it is undefined.
        low: Lower bound of the interval; None without an interval.
        high: Upper bound of the interval; None without an interval.
    """

    name: str
    value: float | None
    written: str
    baseline: float | None
    low: float | None = None
    high: float | None = None


def draw_bars(name: str, bars: Sequence[Bar], axis: str, shares: bool, baseline: str, palette: Palette) -> Drawing:
    """Draw one horizontal bar per task, from top to bottom.

    Args:
        name: The name of the figure, also the stem of its file name.
        bars: The tasks.
        axis: The label of the value axis.
        shares: Whether the values are proportions, so that the axis ranges from 0 to 100 %.
        baseline: The label of the baseline in the legend.
        palette: The colours.
    """
    labels = [shortened(bar.name) for bar in bars]
    figure = Figure(figsize=(COLUMN, 0.72 + ROW * len(bars)))
    axes = axes_in(figure, 0.1 + width_of(labels), 0.4, 0.5, 0.28)
    places = range(len(bars))
    axes.barh(places, [bar.value or 0 for bar in bars], height=0.62, color=palette.series[0], alpha=0.75)
    spans = [(place, (bar.low, bar.high)) for place, bar in enumerate(bars)]
    whole = [(place, (low, high)) for place, (low, high) in spans if low is not None and high is not None]
    draw_intervals(axes, [place for place, _ in whole], [ends for _, ends in whole], palette.ink)
    for place, bar in enumerate(bars):
        axes.annotate(bar.written, (1, place), (4, 0), ("axes fraction", "data"), "offset points", va="center")
    known = [(bar.baseline, place) for place, bar in enumerate(bars) if bar.baseline is not None]
    axes.plot(
        [value for value, _ in known],
        [place for _, place in known],
        linestyle="none",
        marker="|",
        markersize=ROW * 72 * 0.8,
        markeredgewidth=2,
        color=palette.series[5],
        clip_on=False,
        zorder=4,
    )
    axes.set_yticks(places, labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(*_limits(bars, shares))
    axes.xaxis.set_major_locator(MaxNLocator(2 if shares else 4))
    if shares:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid(axis="x")
    axes.set_xlabel(axis, loc="left")
    key = Line2D([], [], linestyle="none", marker="|", markersize=9, markeredgewidth=2, color=palette.series[5])
    axes.legend([key], [baseline], loc="lower left", bbox_to_anchor=(-0.03, 1), borderaxespad=0, handletextpad=0)
    return Drawing(name, figure, _text(bars, axis, shares, baseline))


def _limits(bars: Sequence[Bar], shares: bool) -> tuple[float, float]:
    if shares:
        return 0.0, 1.0
    if all(bar.value is None or 0 <= bar.value <= 1 for bar in bars) and not any(bar.baseline == 1 for bar in bars):
        return 0.0, 1.0
    ends = [value for bar in bars for value in (bar.value, bar.baseline, bar.high) if value is not None]
    starts = [value for bar in bars for value in (bar.value, bar.baseline, bar.low) if value is not None]
    low, high = min([0.0, *starts]), max([0.0, *ends])
    return 1.05 * low, 1.05 * high if high > low else 1.0


def _text(bars: Sequence[Bar], axis: str, shares: bool, baseline: str) -> str:
    write = percent if shares else decimals
    said = [
        f"{bar.name} {bar.written}" + (f" ({baseline} {write(bar.baseline)})" if bar.baseline is not None else "")
        for bar in bars
    ]
    return f"Bar chart of {axis}: {enumerated(said, len(said))}."
