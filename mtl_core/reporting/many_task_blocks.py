"""Tables that summarize many tasks, for pages and model cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import quantiles

from mtl_core.artifacts.metrics import DataReport
from mtl_core.reporting.blocks import Cell, Column, Table
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_metric,
    format_metric_name,
    format_percent,
    format_range,
    pluralize,
)
from mtl_core.reporting.task_metrics import SplitMetrics, TaskMetrics
from mtl_core.reporting.task_summary import MetricSummary, RankedTasks, rank_tasks, summarize_metrics

MAX_CLASS_SETS = 12
"""Maximum number of sets of classes that are shown; tasks with the same classes are one set."""


def build_summary_table(split: SplitMetrics) -> Table:
    """Build a table with one row per metric: its distribution over the main tasks of a split."""
    columns = [
        Column("metric", is_numeric=False),
        *map(Column, ("tasks", "undefined", "mean", "baseline", "minimum", "25 %", "median", "75 %", "maximum")),
        Column("better"),
        Column("beyond interval"),
    ]
    notes = [
        "Mean over the tasks in which the metric is defined, every task counted once. Undefined: tasks whose labels "
        "allow no value. Better: tasks that are better than their baseline; beyond interval: those whose whole 95 % "
        "interval is better than the baseline."
    ]
    summaries = summarize_metrics(split)
    if any(summary.lower_is_better for summary in summaries):
        notes.append("↓ marks metrics for which smaller values are better.")
    title = f"{split.split_name.capitalize()} data, {pluralize(split.n_examples, 'example')}, "
    return Table(
        title + pluralize(len(split.tasks), "task"),
        columns,
        [_build_summary_row(one) for one in summaries],
        notes=notes,
    )


def _build_summary_row(summary: MetricSummary) -> list[Cell]:
    values, (first, median, third) = summary.values, summary.quartiles or (None, None, None)
    numbers = [min(values, default=None), first, median, third, max(values, default=None)]
    n_better_than_interval = summary.n_better_than_interval
    return [
        Cell(format_metric_name(summary.name) + (" ↓" if summary.lower_is_better else "")),
        Cell(format_count(summary.mean.n_tasks)),
        Cell(format_count(summary.n_undefined)),
        Cell(_format_value(summary.mean.value), strong=True),
        Cell(_format_value(summary.mean.baseline)),
        *(Cell(_format_value(number)) for number in numbers),
        Cell(f"{format_count(summary.n_better)} of {format_count(summary.n_compared)}"),
        Cell(NO_VALUE if n_better_than_interval is None else format_count(n_better_than_interval)),
    ]


def build_ranked_tables(split: SplitMetrics) -> list[Table]:
    """Build the tables of the best and of the worst tasks; none if no task has a value."""
    ranked = rank_tasks(split)
    criterion = format_metric_name(ranked.criterion)
    return [
        _build_ranked_table(f"{count} {adjective} tasks by {criterion}", tasks, ranked)
        for count, adjective, tasks in (
            (len(ranked.best), "best", ranked.best),
            (len(ranked.worst), "worst", ranked.worst),
        )
        if tasks
    ]


def _build_ranked_table(title: str, tasks: Sequence[TaskMetrics], ranked: RankedTasks) -> Table:
    has_one_metric = all(task.main_metric is None or task.main_metric.name == ranked.criterion for task in tasks)
    metric_columns = [] if has_one_metric else [Column("metric", is_numeric=False)]
    columns = [Column("task", is_numeric=False), Column("labels"), *metric_columns, Column("value")]
    columns += [Column("95 % interval"), Column("baseline")]
    rows = []
    for task in tasks:
        metric = task.main_metric
        assert metric is not None  # noqa: S101  tasks without a value are not ranked
        name_cells = [] if has_one_metric else [Cell(format_metric_name(metric.name))]
        interval = metric.interval
        interval_text = format_range(*map(format_metric, interval)) if interval else NO_VALUE
        cells = [
            Cell(format_metric(metric.value), strong=True),
            Cell(interval_text),
            Cell(_format_value(metric.baseline)),
        ]
        rows.append([Cell(task.name), Cell(format_count(task.n)), *name_cells, *cells])
    return Table(title, columns, rows)


def build_label_summary(data: DataReport) -> list[Table]:
    """Build tables of the numbers of labels: per split over all tasks, and per class over tasks with equal classes."""
    columns = [Column("split", is_numeric=False), Column("labels"), Column("tasks without labels")]
    columns += [*map(Column, ("fewest per task", "25 %", "median", "75 %", "most per task"))]
    rows = []
    for split_name, counts in data.label_counts.items():
        totals = sorted(sum(labels.values()) for labels in counts.values())
        if len(totals) < 2:
            continue
        quartiles = quantiles(totals, n=4, method="inclusive")
        numbers = [sum(totals), totals.count(0), totals[0], *quartiles, totals[-1]]
        rows.append([Cell(split_name), *(Cell(format_count(number)) for number in numbers)])
    tables = [Table("Labels per split", columns, rows)] if rows else []
    class_table = _build_class_table(data)
    return [*tables, class_table] if class_table.rows else tables


def _build_class_table(data: DataReport) -> Table:
    split_names = list(data.label_counts)
    names_by_task: dict[str, dict[str, None]] = {}
    for counts_by_task in data.label_counts.values():
        for task, labels in counts_by_task.items():
            names_by_task.setdefault(task, {}).update(dict.fromkeys(labels))
    sets = group_by_classes({task: list(names) for task, names in names_by_task.items()})
    rows: list[list[Cell]] = []
    for classes, tasks in list(sets.items())[:MAX_CLASS_SETS]:
        counts = {
            split_name: [
                sum(data.label_counts[split_name].get(task, {}).get(name, 0) for task in tasks) for name in classes
            ]
            for split_name in split_names
        }
        for index, name in enumerate(classes[:MAX_CLASS_SETS]):
            cells = [
                _build_count_cell(counts[split_name][index], sum(counts[split_name])) for split_name in split_names
            ]
            rows.append([Cell(pluralize(len(tasks), "task"), is_repeated=index > 0), Cell(name), *cells])
    notes = []
    if len(sets) > MAX_CLASS_SETS:
        notes.append(f"Of {len(sets)} sets of classes, {MAX_CLASS_SETS} are shown; metrics.json contains all tasks.")
    columns = [Column("tasks with these labels", is_numeric=False), Column("label", is_numeric=False)]
    title = "Labels per split and class, summed over tasks with the same classes"
    return Table(title, [*columns, *map(Column, split_names)], rows, notes=notes)


def _build_count_cell(n_labels: int, total: int) -> Cell:
    proportion = n_labels / total if total else 0.0
    return Cell(format_count(n_labels), format_percent(proportion) if total else "", bar=proportion)


def group_by_classes(classes: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], list[str]]:
    """Return classes to the tasks that have them, the set of classes with most tasks first.

    Args:
        classes: Task name to its classes.
    """
    tasks: dict[tuple[str, ...], list[str]] = {}
    for task, names in classes.items():
        tasks.setdefault(tuple(names), []).append(task)
    return dict(sorted(tasks.items(), key=lambda pair: -len(pair[1])))


def _format_value(value: float | None) -> str:
    return NO_VALUE if value is None else format_metric(value)
