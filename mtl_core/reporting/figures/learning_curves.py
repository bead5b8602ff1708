"""Learning curves of one task: training loss and validation metric per epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.layout import add_axes
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.style import FONT_SIZE
from mtl_core.reporting.formatting import format_metric, truncate_label

WIDTH = 2.4
LEFT, RIGHT = 0.42, 0.08
"""Width and margins in inches."""
Points = Sequence[tuple[int, float]]
"""Pairs of epoch and value."""


@dataclass(frozen=True)
class LearningCurves:
    """The learning curves of one task.

    Attributes:
        task: The name of the task.
        loss: Training loss per epoch.
        refit_loss: Training loss per epoch of the refit on training and validation data; empty without a refit.
        validation_metric: Validation metric per epoch; empty if there is none.
        metric_name: The name of the validation metric.
        selected_epoch: The selected epoch.
    """

    task: str
    loss: Points
    refit_loss: Points
    validation_metric: Points
    metric_name: str
    selected_epoch: int


def draw_curves(name: str, curves: LearningCurves, palette: Palette) -> Drawing:
    """Draw the loss and, below it, the validation metric over the same epochs."""
    figure = Figure(figsize=(WIDTH, 2.55 if curves.validation_metric else 1.6))
    figure.text(LEFT / WIDTH, 1, truncate_label(curves.task, 34), va="top", fontweight="bold")
    loss_axes = add_axes(figure, LEFT, 1.5 if curves.validation_metric else 0.4, RIGHT, 0.38)
    loss_axes.plot(*_unzip_points(curves.loss), color=palette.series[0])
    if curves.refit_loss:
        loss_axes.plot(*_unzip_points(curves.refit_loss), color=palette.muted, linestyle="--", linewidth=1)
    values = [0.0, *(value for _, value in (*curves.loss, *curves.refit_loss))]
    loss_axes.set_ylim(1.08 * min(values), 1.08 * max(values) or 1.0)
    _style_axes(loss_axes, "training loss", curves, palette)
    if curves.validation_metric:
        loss_axes.tick_params(labelbottom=False)
        metric_axes = add_axes(figure, LEFT, 0.4, RIGHT, 1.3)
        metric_axes.plot(*_unzip_points(curves.validation_metric), color=palette.series[2])
        metric_axes.plot(
            *_unzip_points([point for point in curves.validation_metric if point[0] == curves.selected_epoch]),
            marker="o",
            markersize=5,
            linestyle="none",
            color=palette.series[2],
            markeredgecolor=palette.ink,
            clip_on=False,
        )
        _style_axes(metric_axes, f"validation {truncate_label(curves.metric_name, 20)}", curves, palette)
        metric_axes.set_xlabel("epoch", loc="left")
    else:
        loss_axes.set_xlabel("epoch", loc="left")
    return Drawing(name, figure, _describe(curves))


def _style_axes(axes: Axes, title: str, curves: LearningCurves, palette: Palette) -> None:
    axes.set_title(title, color=palette.muted, fontsize=FONT_SIZE - 0.5, pad=3)
    epochs = [epoch for epoch, _ in (*curves.loss, *curves.validation_metric)] or [1]
    axes.axvline(curves.selected_epoch, color=palette.muted, linewidth=0.8, linestyle=":")
    axes.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.grid(axis="y")


def _unzip_points(points: Points) -> tuple[list[int], list[float]]:
    return [epoch for epoch, _ in points], [value for _, value in points]


def _describe(curves: LearningCurves) -> str:
    text = f"{curves.task}:"
    if curves.loss:
        (first, first_loss), (last, last_loss) = curves.loss[0], curves.loss[-1]
        text += f" training loss {format_metric(first_loss)} in epoch {first}, "
        text += f"{format_metric(last_loss)} in epoch {last}."
    if curves.validation_metric:
        epoch = curves.selected_epoch
        value = format_metric(dict(curves.validation_metric).get(epoch))
        text += f" Validation {curves.metric_name} {value} in epoch {epoch}, the selected epoch."
    return text
