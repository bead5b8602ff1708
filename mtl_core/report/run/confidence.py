"""Whether answers are right as often as the network is sure of them."""

from mtl_core.report.blocks import Block, Cell, Column, FigureBlock, Section, Table
from mtl_core.report.calibration import Calibration, Calibrations
from mtl_core.report.figures.palette import Palette
from mtl_core.report.figures.reliability import draw_reliability
from mtl_core.report.wording import NONE, count, decimals, percent, signed, slug

PANELS = 8
"""Tasks that are drawn."""
NOTE = (
    "Expected calibration error: the mean distance between confidence and share of right answers over ten bins, "
    "each counted by its answers. With few answers it is above 0 even for a network whose confidence is true."
)


def confidence(calibrations: Calibrations, palette: Palette) -> Section | None:
    """The section; None if no task gives one class and its probability."""
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
        "How often answers are right (upwards) that the network is so sure of (rightwards), in ten bins; bars "
        "below count the answers of each. On the dashed line, confidence is what it claims to be; below it, the "
        "network is too sure. Lines are 95 % intervals (Wilson)."
    )
    if len(drawn) < len(tasks):
        caption += f" Of {len(tasks)} tasks, the {len(drawn)} with most answers are drawn."
    blocks: list[Block] = [_table(calibrations), FigureBlock(caption, drawings)]
    return Section("calibration", "Calibration", blocks)


def _table(calibrations: Calibrations) -> Table:
    columns = [
        Column("task", number=False),
        Column("answers"),
        Column("mean confidence"),
        Column("right"),
        Column("too sure by"),
        Column("expected calibration error"),
    ]
    return Table(
        "Confidence and what came true",
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
