"""The reliability diagram: accuracy over confidence."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtl_core.report.calibration import BINS, Calibration
from mtl_core.report.figures.canvas import Drawing, axes_in
from mtl_core.report.figures.palette import Palette
from mtl_core.report.intervals import wilson
from mtl_core.report.wording import count, percent, shortened

WIDTH = 2.0
"""Width in inches: a square and its labels."""


def draw_reliability(name: str, title: str, calibration: Calibration, palette: Palette) -> Drawing:
    """Draw accuracy over confidence, one point per bin with its interval, above a histogram of the predictions."""
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = axes_in(figure, 0.42, 0.95, 0.2, 0.27)
    axes.plot([0, 1], [0, 1], color=palette.muted, linewidth=0.8, linestyle="--")
    bins = calibration.filled
    ends = [wilson(one.correct, one.n) for one in bins]
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    axes.vlines([one.confidence for one in bins], lows, highs, color=palette.series[0], linewidth=1, alpha=0.6)
    axes.plot(
        [one.confidence for one in bins],
        [one.accuracy for one in bins],
        color=palette.series[0],
        marker="o",
        markersize=4,
        linewidth=1.1,
        clip_on=False,
    )
    axes.set_title(shortened(title, 28))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid()
    below = axes_in(figure, 0.42, 0.4, 0.2, 1.77)
    middles = [(place + 0.5) / BINS for place in range(BINS)]
    below.bar(middles, [one.n for one in calibration.bins], width=0.8 / BINS, color=palette.muted, alpha=0.6)
    most = max((one.n for one in bins), default=1)
    below.set_xlim(0, 1)
    below.set_ylim(0, most)
    below.set_yticks([most], [count(most)], va="top")
    below.set_xticks([0, 0.5, 1])
    below.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    below.set_xlabel("confidence", loc="left")
    return Drawing(name, figure, _text(title, calibration))


def _text(title: str, calibration: Calibration) -> str:
    said = ", ".join(
        f"confidence {percent(one.confidence)}, accuracy {percent(one.accuracy)} ({count(one.n)})"
        for one in calibration.filled
    )
    return f"Reliability diagram, {title}. Bins, with their number of predictions: {said}."
