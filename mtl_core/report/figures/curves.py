"""Learning curves of one task: training loss and validation metric per epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtl_core.report.figures.canvas import FONT, Drawing, axes_in
from mtl_core.report.figures.palette import Palette
from mtl_core.report.wording import decimals, shortened

WIDTH = 2.4
LEFT, RIGHT = 0.42, 0.08
"""Width and margins in inches."""
Points = Sequence[tuple[int, float]]
"""Pairs of epoch and value."""


@dataclass(frozen=True)
class Curves:
    """The learning curves of one task.

    Attributes:
        task: The name of the task.
        loss: Training loss per epoch.
        again: Training loss per epoch of the refit on training and validation data; empty without a refit.
        figure: Validation metric per epoch; empty if there is none.
        metric: The name of the validation metric.
        kept: The selected epoch.
    """

    task: str
    loss: Points
    again: Points
    figure: Points
    metric: str
    kept: int


def draw_curves(name: str, curves: Curves, palette: Palette) -> Drawing:
    """Draw the loss and, below it, the validation metric over the same epochs."""
    figure = Figure(figsize=(WIDTH, 2.55 if curves.figure else 1.6))
    figure.text(LEFT / WIDTH, 1, shortened(curves.task, 34), va="top", fontweight="bold")
    top = axes_in(figure, LEFT, 1.5 if curves.figure else 0.4, RIGHT, 0.38)
    top.plot(*_columns(curves.loss), color=palette.series[0])
    if curves.again:
        top.plot(*_columns(curves.again), color=palette.muted, linestyle="--", linewidth=1)
    values = [0.0, *(value for _, value in (*curves.loss, *curves.again))]
    top.set_ylim(1.08 * min(values), 1.08 * max(values) or 1.0)
    _finish(top, "training loss", curves, palette)
    if curves.figure:
        top.tick_params(labelbottom=False)
        below = axes_in(figure, LEFT, 0.4, RIGHT, 1.3)
        below.plot(*_columns(curves.figure), color=palette.series[2])
        below.plot(
            *_columns([point for point in curves.figure if point[0] == curves.kept]),
            marker="o",
            markersize=5,
            linestyle="none",
            color=palette.series[2],
            markeredgecolor=palette.ink,
            clip_on=False,
        )
        _finish(below, f"validation {shortened(curves.metric, 20)}", curves, palette)
        below.set_xlabel("epoch", loc="left")
    else:
        top.set_xlabel("epoch", loc="left")
    return Drawing(name, figure, _text(curves))


def _finish(axes: Axes, title: str, curves: Curves, palette: Palette) -> None:
    axes.set_title(title, color=palette.muted, fontsize=FONT - 0.5, pad=3)
    epochs = [epoch for epoch, _ in (*curves.loss, *curves.figure)] or [1]
    axes.axvline(curves.kept, color=palette.muted, linewidth=0.8, linestyle=":")
    axes.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.grid(axis="y")


def _columns(points: Points) -> tuple[list[int], list[float]]:
    return [epoch for epoch, _ in points], [value for _, value in points]


def _text(curves: Curves) -> str:
    text = f"{curves.task}:"
    if curves.loss:
        (first, before), (last, after) = curves.loss[0], curves.loss[-1]
        text += f" training loss {decimals(before)} in epoch {first}, {decimals(after)} in epoch {last}."
    if curves.figure:
        best = dict(curves.figure).get(curves.kept)
        text += f" Validation {curves.metric} {decimals(best)} in epoch {curves.kept}, the selected epoch."
    return text
