"""The section on calibration: whether the confidence of predictions matches their accuracy."""

from mtl_core.report.blocks import Block, Cell, Column, FigureBlock, Section, Table
from mtl_core.report.calibration import Calibration, Calibrations
from mtl_core.report.figures.palette import Palette
from mtl_core.report.figures.reliability import draw_reliability
from mtl_core.report.wording import NONE, count, decimals, percent, signed, slug

PANELS = 8
"""Maximum number of tasks with a reliability diagram."""
NOTE = (
    "Expected calibration error: the mean absolute difference between confidence and accuracy over ten bins, "
    "weighted by their predictions. With few predictions it is above 0 even for a perfectly calibrated network."
)


def confidence(calibrations: Calibrations, palette: Palette) -> Section | None:
    """Build the section; None if no task predicts one class with its probability."""
    tasks = list(calibrations.tasks.items())
    if not tasks:
        return None
    drawn = sorted(tasks, key=lambda pair: -pair[1].n)[:PANELS] if len(tasks) > PANELS else tasks
    drawings = (
        [draw_reliability("reliability", "all tasks", calibrations.pooled, palette)] if len(tasks) > 1 else []
    )
    drawings += [
        draw_reliability(f"reliability-{place}-{slug(name)}", name, one, palette)
        for place, (name, one) in enumerate(drawn, start=1)
    ]
    caption = (
        "Accuracy (vertical) over confidence (horizontal) in ten bins; the histogram below shows the number of "
        "predictions per bin. On the dashed line, confidence equals accuracy; below it, the network is "
        "overconfident. Vertical lines are 95 % intervals (Wilson)."
    )
    if len(drawn) < len(tasks):
        caption += f" Of {len(tasks)} tasks, the {len(drawn)} with most predictions are shown."
    blocks: list[Block] = [_table(calibrations), FigureBlock(caption, drawings)]
    return Section("calibration", "Calibration", blocks)


def _table(calibrations: Calibrations) -> Table:
    columns = [
        Column("task", number=False),
        Column("predictions"),
        Column("mean confidence"),
        Column("accuracy"),
        Column("overconfidence"),
        Column("expected calibration error"),
    ]
    return Table(
        "Confidence and accuracy",
        columns,
        [_row(name, one) for name, one in calibrations.tasks.items()],
        [_row("all tasks", calibrations.pooled)] if len(calibrations.tasks) > 1 else [],
        [NOTE],
    )


def _row(name: str, one: Calibration) -> list[Cell]:
    if one.confidence is None or one.accuracy is None:
        return [Cell(name), Cell("0"), *(Cell(NONE) for _ in range(4))]
    return [
        Cell(name),
        Cell(count(one.n)),
        Cell(percent(one.confidence)),
        Cell(percent(one.accuracy)),
        Cell(signed(one.confidence - one.accuracy)),
        Cell(decimals(one.error), strong=True),
    ]
