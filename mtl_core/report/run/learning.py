"""The section on learning curves."""

from mtl_core.report.blocks import Block, Cell, Column, FigureBlock, Folded, Section, Table
from mtl_core.report.figures.curves import Curves, draw_curves
from mtl_core.report.figures.lines import Line, draw_lines
from mtl_core.report.figures.palette import Palette
from mtl_core.report.run_files import Epoch, RunFiles
from mtl_core.report.wording import NONE, decimals, slug, spoken

PANELS = 12
"""Maximum number of tasks with learning curves."""
STEADY = 0.25
"""Minimum relative change of loss weights for a figure of them."""


def learning(files: RunFiles, palette: Palette) -> Section:
    """Build the section: one figure per task, loss weights if they change, a collapsed table of all epochs."""
    tasks = [task.name for task in files.judged.tasks] if files.judged else []
    known = list(dict.fromkeys(name for epoch in files.history for name in epoch.losses))
    tasks = [name for name in tasks if name in known] or known
    helping = [name for name in known if name not in tasks]
    labels = {task.name: task.n for task in files.judged.tasks} if files.judged else {}
    shown = _most_labels(tasks, labels)
    drawings = [
        draw_curves(f"learning-{place}-{slug(task)}", _curves(files, task), palette)
        for place, task in enumerate([*shown, *helping[: PANELS - len(shown)]], start=1)
    ]
    blocks: list[Block] = [FigureBlock(_caption(files, len(shown), len(tasks)), drawings)]
    blocks += _weights(files, shown, palette)
    blocks.append(Folded("Table of all epochs", [_table(files)]))
    return Section("learning", "Learning curves", blocks)


def _most_labels(tasks: list[str], labels: dict[str, int]) -> list[str]:
    if len(tasks) <= PANELS:
        return tasks
    chosen = set(sorted(tasks, key=lambda name: -labels.get(name, 0))[:PANELS])
    return [name for name in tasks if name in chosen]


def _curves(files: RunFiles, task: str) -> Curves:
    first = [epoch for epoch in files.history if epoch.stage == "selection"]
    again = [epoch for epoch in files.history if epoch.stage != "selection"]
    metric = _main_metric(files, task)
    return Curves(
        task,
        _losses(first, task),
        _losses(again, task),
        [(one.number, value) for one in first if (value := one.validation.get((task, metric))) is not None],
        spoken(metric),
        files.best_epoch,
    )


def _losses(epochs: list[Epoch], task: str) -> list[tuple[int, float]]:
    return [(one.number, value) for one in epochs if (value := one.losses.get(task)) is not None]


def _main_metric(files: RunFiles, task: str) -> str:
    figures = [one for part in files.parts for one in part.tasks if one.name == task]
    main = figures[0].main if figures else None
    return main.name if main else ""


def _caption(files: RunFiles, shown: int, tasks: int) -> str:
    said = "Training loss and main validation metric per epoch; the dotted line marks the selected epoch."
    if any(epoch.stage == "refit" for epoch in files.history):
        said += " Dashed: the loss of the refit on training and validation data."
    if shown < tasks:
        said += f" Of {tasks} tasks, the {shown} with most labels are shown; history.csv contains all tasks."
    return said


def _weights(files: RunFiles, tasks: list[str], palette: Palette) -> list[FigureBlock]:
    """Draw the loss weights if the weighting changes them."""
    first = [epoch for epoch in files.history if epoch.stage == "selection"]
    lines = [
        Line(task, [(one.number, value) for one in first if (value := one.weights.get(task)) is not None])
        for task in tasks
    ]
    lines = [line for line in lines if line.points]
    moved = any(
        max(values) - min(values) > STEADY * max(map(abs, values))
        for line in lines
        if (values := [value for _, value in line.points])
    )
    if not moved:
        return []
    caption = "The loss weight of each task, as the mean per epoch; the weighting changes it during training."
    return [FigureBlock(caption, [draw_lines("weights", lines, "loss weight", False, palette)])]


def _table(files: RunFiles) -> Table:
    tasks = list(dict.fromkeys(name for epoch in files.history for name in epoch.losses))[:PANELS]
    figures = [key for key in files.history[0].validation if key[0] == "overall"] if files.history else []
    figures += [(name, _main_metric(files, name)) for name in tasks if _main_metric(files, name)]
    columns = [
        Column("stage, epoch", number=False),
        *(Column(f"{name}: loss") for name in tasks),
        *(Column(f"{name}: {spoken(metric)}") for name, metric in figures),
    ]
    rows = [
        [
            Cell(f"{epoch.stage} {epoch.number}"),
            *(_cell(epoch.losses.get(name)) for name in tasks),
            *(_cell(epoch.validation.get(key)) for key in figures),
        ]
        for epoch in files.history
    ]
    return Table("Training loss and validation metrics per epoch", columns, rows)


def _cell(value: float | None) -> Cell:
    return Cell(NONE if value is None else decimals(value))
