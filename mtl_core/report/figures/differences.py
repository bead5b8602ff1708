"""A forest plot: differences with their intervals around the line of no difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mtl_core.report.figures.canvas import COLUMN, Drawing, axes_in, legend_above, legend_height, width_of
from mtl_core.report.figures.palette import MARKERS, Palette
from mtl_core.report.wording import MINUS, shortened

LINE = 0.13
"""Height of one difference in inches."""
GAP = 0.1
"""Space between two tasks in inches."""


@dataclass(frozen=True)
class Gap:
    """A difference with its interval; it is significant if the interval excludes zero."""

    mean: float
    low: float
    high: float
    sure: bool


@dataclass(frozen=True)
class Gaps:
    """The differences of one variant: name, index (selects colour and marker), row name to difference."""

    name: str
    place: int
    rows: Mapping[str, Gap]


def draw_differences(
    name: str,
    rows: Sequence[str],
    series: Sequence[Gaps],
    axis: str,
    points: bool,
    palette: Palette,
    named: bool = True,
) -> Drawing:
    """Draw one line per difference, with a hollow marker if the interval contains zero.

    Args:
        name: The name of the figure, also the stem of its file name.
        rows: The names of the tasks, from top to bottom.
        series: The variants, from top to bottom.
        axis: The label of the axis of differences.
        points: Whether the axis shows percentage points, for differences of proportions.
        palette: The colours.
        named: Whether a legend lists the variants.
    """
    row = LINE * max(len(series), 1) + GAP
    legend = legend_height([one.name for one in series]) if named else 0.0
    labels = [shortened(one) for one in rows]
    figure = Figure(figsize=(COLUMN, 0.5 + legend + row * len(rows)))
    axes = axes_in(figure, 0.1 + width_of(labels), 0.4, 0.12, 0.06 + legend)
    axes.axvline(0, color=palette.ink, linewidth=0.8)
    for line, one in enumerate(series):
        offset = (line - (len(series) - 1) / 2) * LINE / row
        _draw(
            axes,
            [(place + offset, one.rows[name]) for place, name in enumerate(rows) if name in one.rows],
            one,
            palette,
        )
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params("y", length=0)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    factor = 100 if points else 1
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value * factor)))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis, loc="right")  # a long label may extend below the task names
    if named:
        legend_above(figure, [_key(one, palette) for one in series], [one.name for one in series])
    return Drawing(name, figure, _text(rows, series, axis, factor))


def _draw(axes: Axes, gaps: Sequence[tuple[float, Gap]], one: Gaps, palette: Palette) -> None:
    """Draw the intervals of one variant, then its filled markers, then its hollow ones."""
    color = palette.series[one.place % len(palette.series)]
    lows, highs = [gap.low for _, gap in gaps], [gap.high for _, gap in gaps]
    axes.hlines([place for place, _ in gaps], lows, highs, color=color, linewidth=1.2)
    for sure in (True, False):
        axes.plot(
            [gap.mean for _, gap in gaps if gap.sure == sure],
            [place for place, gap in gaps if gap.sure == sure],
            linestyle="none",
            marker=MARKERS[one.place % len(MARKERS)],
            markersize=4.5,
            color=color,
            markerfacecolor=color if sure else palette.paper,
            markeredgewidth=1,
            zorder=4,
        )


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", MINUS) if abs(value) > 1e-12 else "0"


def _key(one: Gaps, palette: Palette) -> Line2D:
    color = palette.series[one.place % len(palette.series)]
    return Line2D([], [], color=color, marker=MARKERS[one.place % len(MARKERS)], markersize=4.5, linewidth=1.2)


def _text(rows: Sequence[str], series: Sequence[Gaps], axis: str, factor: int) -> str:
    said = [
        f"{one.name}, {row}: {gap.mean * factor:+.3g} ({gap.low * factor:+.3g} to {gap.high * factor:+.3g})"
        for row in rows
        for one in series
        if (gap := one.rows.get(row)) is not None
    ]
    return f"{axis}. {'; '.join(said)}."
