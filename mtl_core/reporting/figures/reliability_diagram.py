"""The reliability diagram: accuracy over confidence."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtl_core.reporting.calibration_curve import N_BINS, CalibrationCurve
from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import add_axes
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import format_count, format_percent, truncate_label
from mtl_core.reporting.wilson_interval import compute_wilson_interval

WIDTH = 2.0
"""Width in inches: a square and its labels."""


def draw_reliability_diagram(name: str, title: str, curve: CalibrationCurve, palette: Palette) -> Drawing:
    """Draw accuracy over confidence, one point per bin with its interval, above a histogram of the predictions."""
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = add_axes(figure, 0.42, 0.95, 0.2, 0.27)
    axes.plot([0, 1], [0, 1], color=palette.muted, linewidth=0.8, linestyle="--")
    bins = curve.nonempty_bins
    intervals = [compute_wilson_interval(one.correct, one.n) for one in bins]
    lows, highs = [low for low, _ in intervals], [high for _, high in intervals]
    axes.vlines([one.mean_confidence for one in bins], lows, highs, color=palette.series[0], linewidth=1, alpha=0.6)
    axes.plot(
        [one.mean_confidence for one in bins],
        [one.accuracy for one in bins],
        color=palette.series[0],
        marker="o",
        markersize=4,
        linewidth=1.1,
        clip_on=False,
    )
    axes.set_title(truncate_label(title, 28))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.grid()
    histogram_axes = add_axes(figure, 0.42, 0.4, 0.2, 1.77)
    bin_centers = [(index + 0.5) / N_BINS for index in range(N_BINS)]
    histogram_axes.bar(bin_centers, [one.n for one in curve.bins], width=0.8 / N_BINS, color=palette.muted, alpha=0.6)
    max_count = max((one.n for one in bins), default=1)
    histogram_axes.set_xlim(0, 1)
    histogram_axes.set_ylim(0, max_count)
    histogram_axes.set_yticks([max_count], [format_count(max_count)], va="top")
    histogram_axes.set_xticks([0, 0.5, 1])
    histogram_axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    histogram_axes.set_xlabel("confidence", loc="left")
    return Drawing(name, figure, _describe(title, curve))


def _describe(title: str, curve: CalibrationCurve) -> str:
    descriptions = ", ".join(
        f"confidence {format_percent(one.mean_confidence)}, accuracy {format_percent(one.accuracy)} "
        f"({format_count(one.n)})"
        for one in curve.nonempty_bins
    )
    return f"Reliability diagram, {title}. Bins, with their number of predictions: {descriptions}."
