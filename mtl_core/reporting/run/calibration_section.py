"""The section on calibration: whether the confidence of predictions matches their accuracy."""

from statistics import quantiles

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.reporting.blocks import Block, Cell, Column, FigureBlock, Section, Table
from mtl_core.reporting.calibration_curve import CalibrationCurve, CalibrationCurves
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.reliability_diagram import draw_reliability_diagram
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_metric,
    format_percent,
    format_range,
    format_signed,
    pluralize,
    slugify,
)

MAX_DIAGRAMS = 8
"""Maximum number of tasks with a reliability diagram."""
CALIBRATION_NOTE = (
    "Expected calibration error: the mean absolute difference between confidence and accuracy over ten bins, "
    "weighted by their predictions. With few predictions it is above 0 even for a perfectly calibrated network. "
    "Without test data, these are validation predictions, before any calibration of the network with their labels."
)
DIAGRAM_CAPTION = (
    "Accuracy (vertical) over confidence (horizontal) in ten bins; the histogram below shows the number of "
    "predictions per bin. On the dashed line, confidence equals accuracy; below it, the network is "
    "overconfident. Vertical lines are 95 % intervals (Wilson)."
)


def build_calibration_section(curves: CalibrationCurves, palette: Palette) -> Section | None:
    """Build the section; None if no task predicts one class with its probability."""
    tasks = list(curves.tasks.items())
    if not tasks:
        return None
    if has_many_tasks(len(tasks)):
        return _build_pooled_section(curves, palette)
    plotted = sorted(tasks, key=lambda pair: -pair[1].n)[:MAX_DIAGRAMS] if len(tasks) > MAX_DIAGRAMS else tasks
    drawings = [draw_reliability_diagram("reliability", "all tasks", curves.pooled, palette)] if len(tasks) > 1 else []
    drawings += [
        draw_reliability_diagram(f"reliability-{index}-{slugify(name)}", name, curve, palette)
        for index, (name, curve) in enumerate(plotted, start=1)
    ]
    caption = DIAGRAM_CAPTION
    if len(plotted) < len(tasks):
        caption += f" Of {len(tasks)} tasks, the {len(plotted)} with most predictions are shown."
    blocks: list[Block] = [_build_table(curves), FigureBlock(caption, drawings)]
    return Section("calibration", "Calibration", blocks)


def _build_pooled_section(curves: CalibrationCurves, palette: Palette) -> Section:
    """Build the section for many tasks: all of them pooled, and the quartiles of their errors."""
    errors = [error for curve in curves.tasks.values() if (error := curve.expected_calibration_error) is not None]
    first, median, third = quantiles(errors, n=4, method="inclusive")
    table = Table(
        "Confidence and accuracy, all tasks pooled",
        _build_columns(),
        [_build_row(pluralize(len(curves.tasks), "task"), curves.pooled)],
        notes=[
            f"Expected calibration error per task: median {format_metric(median)}, quartiles "
            f"{format_range(format_metric(first), format_metric(third))}, over {pluralize(len(errors), 'task')}.",
            CALIBRATION_NOTE,
        ],
    )
    diagram = draw_reliability_diagram("reliability", "all tasks", curves.pooled, palette)
    return Section("calibration", "Calibration", [table, FigureBlock(DIAGRAM_CAPTION, [diagram])])


def _build_table(curves: CalibrationCurves) -> Table:
    return Table(
        "Confidence and accuracy",
        _build_columns(),
        [_build_row(name, one) for name, one in curves.tasks.items()],
        [_build_row("all tasks", curves.pooled)] if len(curves.tasks) > 1 else [],
        [CALIBRATION_NOTE],
    )


def _build_columns() -> list[Column]:
    return [
        Column("task", is_numeric=False),
        Column("predictions"),
        Column("mean confidence"),
        Column("accuracy"),
        Column("overconfidence"),
        Column("expected calibration error"),
    ]


def _build_row(name: str, curve: CalibrationCurve) -> list[Cell]:
    if curve.mean_confidence is None or curve.accuracy is None:
        return [Cell(name), Cell("0"), *(Cell(NO_VALUE) for _ in range(4))]
    return [
        Cell(name),
        Cell(format_count(curve.n)),
        Cell(format_percent(curve.mean_confidence)),
        Cell(format_percent(curve.accuracy)),
        Cell(format_signed(curve.mean_confidence - curve.accuracy)),
        Cell(format_metric(curve.expected_calibration_error), strong=True),
    ]
