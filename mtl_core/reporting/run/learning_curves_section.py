"""The section on learning curves."""

from collections.abc import Sequence

from mtl_core.artifacts.history import EpochRecord, History
from mtl_core.artifacts.metrics import MEAN, OVERALL
from mtl_core.reporting.blocks import Block, Cell, Collapsible, Column, FigureBlock, Section, Table
from mtl_core.reporting.figures.learning_curves import LearningCurves, draw_curves
from mtl_core.reporting.figures.lines import Line, draw_lines
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import NO_VALUE, format_metric, format_metric_name, slugify
from mtl_core.reporting.read_run import RunArtifacts

MAX_FIGURES = 12
"""Maximum number of tasks with learning curves."""
MIN_RELATIVE_CHANGE = 0.25
"""Minimum relative change of loss weights for a figure of them."""


def build_learning_curves_section(artifacts: RunArtifacts, palette: Palette) -> Section:
    """Build the section: one figure per task, loss weights if they change, a collapsed table of all epochs."""
    tasks = [task.name for task in artifacts.main_split.tasks] if artifacts.main_split else []
    logged_tasks = _list_logged_tasks(artifacts.history)
    tasks = [name for name in tasks if name in logged_tasks] or logged_tasks
    auxiliary_tasks = [name for name in logged_tasks if name not in tasks]
    label_counts = {task.name: task.n for task in artifacts.main_split.tasks} if artifacts.main_split else {}
    plotted_tasks = _select_tasks_with_most_labels(tasks, label_counts)
    drawings = [
        draw_curves(f"learning-{index}-{slugify(task)}", _build_curves(artifacts, task), palette)
        for index, task in enumerate([*plotted_tasks, *auxiliary_tasks[: MAX_FIGURES - len(plotted_tasks)]], start=1)
    ]
    blocks: list[Block] = [FigureBlock(_build_caption(artifacts, len(plotted_tasks), len(tasks)), drawings)]
    blocks += _build_weight_figures(artifacts, plotted_tasks, palette)
    blocks.append(Collapsible("Table of all epochs", [_build_epoch_table(artifacts)]))
    return Section("learning", "Learning curves", blocks)


def _select_tasks_with_most_labels(tasks: list[str], label_counts: dict[str, int]) -> list[str]:
    if len(tasks) <= MAX_FIGURES:
        return tasks
    selected = set(sorted(tasks, key=lambda name: -label_counts.get(name, 0))[:MAX_FIGURES])
    return [name for name in tasks if name in selected]


def _build_curves(artifacts: RunArtifacts, task: str) -> LearningCurves:
    selection_epochs = artifacts.history.selection
    metric = _find_main_metric(artifacts, task)
    return LearningCurves(
        task,
        _collect_losses(selection_epochs, task),
        _collect_losses(artifacts.history.refit, task),
        [
            (one.epoch, value)
            for one in selection_epochs
            if (value := one.validation.get(f"{task}.{metric}")) is not None
        ],
        format_metric_name(metric),
        artifacts.best_epoch,
    )


def _collect_losses(epochs: Sequence[EpochRecord], task: str) -> list[tuple[int, float]]:
    return [(one.epoch, value) for one in epochs if (value := one.losses.get(task)) is not None]


def _find_main_metric(artifacts: RunArtifacts, task: str) -> str:
    if task == MEAN and artifacts.main_split is not None:  # the only entry of the history of many tasks
        return artifacts.main_split.shared_metric or ""
    task_metrics = [one for split in artifacts.splits for one in split.tasks if one.name == task]
    main_metric = task_metrics[0].main_metric if task_metrics else None
    return main_metric.name if main_metric else ""


def _build_caption(artifacts: RunArtifacts, n_plotted: int, n_tasks: int) -> str:
    caption = "Training loss and main validation metric per epoch; the dotted line marks the selected epoch."
    if artifacts.history.refit:
        caption += " Dashed: the loss of the refit on training and validation data."
    if n_plotted < n_tasks:
        caption += f" Of {n_tasks} tasks, the {n_plotted} with most labels are shown; history.csv contains all tasks."
    return caption


def _build_weight_figures(artifacts: RunArtifacts, tasks: list[str], palette: Palette) -> list[FigureBlock]:
    """Draw the loss weights if the weighting changes them."""
    lines = [
        Line(
            task,
            [(one.epoch, value) for one in artifacts.history.selection if (value := one.weights.get(task)) is not None],
        )
        for task in tasks
    ]
    lines = [line for line in lines if line.points]
    has_changed = any(
        max(values) - min(values) > MIN_RELATIVE_CHANGE * max(map(abs, values))
        for line in lines
        if (values := [value for _, value in line.points])
    )
    if not has_changed:
        return []
    caption = "The loss weight of each task, as the mean per epoch; the weighting changes it during training."
    return [FigureBlock(caption, [draw_lines("weights", lines, "loss weight", False, palette)])]


def _list_logged_tasks(history: History) -> list[str]:
    return list(dict.fromkeys(name for epoch in (*history.selection, *history.refit) for name in epoch.losses))


def _build_epoch_table(artifacts: RunArtifacts) -> Table:
    history = artifacts.history
    tasks = _list_logged_tasks(history)[:MAX_FIGURES]
    metrics = [(OVERALL, metric.removeprefix(f"{OVERALL}.")) for metric in _list_overall_metrics(history)]
    metrics += [(name, metric) for name in tasks if (metric := _find_main_metric(artifacts, name))]
    columns = [
        Column("stage, epoch", is_numeric=False),
        *(Column(f"{name}: loss") for name in tasks),
        *(Column(f"{name}: {format_metric_name(metric)}") for name, metric in metrics),
    ]
    rows = [
        [
            Cell(f"{stage} {epoch.epoch}"),
            *(_build_cell(epoch.losses.get(name)) for name in tasks),
            *(_build_cell(epoch.validation.get(f"{name}.{metric}")) for name, metric in metrics),
        ]
        for stage, epochs in (("selection", history.selection), ("refit", history.refit))
        for epoch in epochs
    ]
    return Table("Training loss and validation metrics per epoch", columns, rows)


def _list_overall_metrics(history: History) -> list[str]:
    return [name for epoch in history.selection[:1] for name in epoch.validation if name.rpartition(".")[0] == OVERALL]


def _build_cell(value: float | None) -> Cell:
    return Cell(NO_VALUE if value is None else format_metric(value))
