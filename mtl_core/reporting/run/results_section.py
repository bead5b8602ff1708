"""The section on results: metrics and baselines of all tasks as tables and bar charts."""

from collections.abc import Iterator, Sequence

from mtl_core.reporting.blocks import Block, Cell, Column, FigureBlock, Section, Table
from mtl_core.reporting.figures.bars import Bar, draw_bars
from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_metric,
    format_metric_name,
    format_percent,
    format_range,
    slugify,
)
from mtl_core.reporting.task_metrics import MetricValue, SplitMetrics, TaskMetrics

MAX_BARS = 40
"""Maximum number of bars per figure, so that it fits on a sheet of paper."""
MAJORITY, BASELINE = "majority", "baseline"


def build_results_section(splits: Sequence[SplitMetrics], palette: Palette) -> Section:
    """Build the section: a table per split, and bar charts of the main split."""
    blocks: list[Block] = []
    for index, split in enumerate(splits):
        blocks.append(build_results_table(split))
        if index == 0:
            blocks.append(FigureBlock(_build_caption(split), list(draw_results(split, palette))))
    return Section("results", "Results", blocks)


def build_results_table(split: SplitMetrics) -> Table:
    """Build the table of a split: one column per metric, or a column of metric names if main metrics differ."""
    return _build_shared_metric_table(split) if split.shared_metric is not None else _build_mixed_metric_table(split)


def _build_shared_metric_table(split: SplitMetrics) -> Table:
    main_metric = str(split.shared_metric)
    metrics = list(dict.fromkeys(one.name for task in split.tasks for one in task.metrics))
    is_proportion = _is_proportion(split, main_metric)
    has_correct = any(task.correct is not None for task in split.tasks)
    columns = [Column("task", is_numeric=False), Column("labels"), *([Column("correct")] if has_correct else [])]
    columns += [Column(format_metric_name(main_metric)), *([Column("95 % interval")] if is_proportion else [])]
    columns += [
        Column(get_baseline_name(is_proportion)),
        *(Column(format_metric_name(name)) for name in metrics if name != main_metric),
    ]

    def build_row(task: TaskMetrics) -> list[Cell]:
        metric = task.get_metric(main_metric)
        cells = [Cell(task.name), Cell(format_count(task.n))]
        cells += [Cell(format_count(task.correct) if task.correct is not None else NO_VALUE)] if has_correct else []
        cells += [
            _build_value_cell(metric, task, strong=True),
            *([_build_interval_cell(metric)] if is_proportion else []),
        ]
        cells.append(Cell(format_metric(metric.baseline) if metric else NO_VALUE))
        return cells + [_build_value_cell(task.get_metric(name), task) for name in metrics if name != main_metric]

    footer = [build_row(split.overall)] if split.overall.get_metric(main_metric) and len(split.tasks) > 1 else []
    notes = ["Smaller is better."] if any(one.lower_is_better for task in split.tasks for one in task.metrics) else []
    return Table(_format_title(split), columns, [build_row(task) for task in split.tasks], footer, notes)


def _build_mixed_metric_table(split: SplitMetrics) -> Table:
    columns = [
        Column("task", is_numeric=False),
        Column("labels"),
        Column("metric", is_numeric=False),
        Column("value"),
        Column("95 % interval"),
        Column(BASELINE),
        Column("relative error reduction"),
        Column("other metrics", is_numeric=False),
    ]
    return Table(
        _format_title(split),
        columns,
        [_build_mixed_metric_row(task) for task in split.tasks],
        notes=[
            "Relative error reduction: the fraction of the baseline's error that the network avoids; ↓ marks "
            "metrics for which smaller values are better."
        ],
    )


def _build_mixed_metric_row(task: TaskMetrics) -> list[Cell]:
    main_metric = task.main_metric
    if main_metric is None:
        return [Cell(task.name), Cell(format_count(task.n)), *(Cell(NO_VALUE) for _ in range(6))]
    other_metrics = ", ".join(
        f"{format_metric_name(one.name)} {format_metric(one.value, one.n)}" for one in task.metrics[1:]
    )
    return [
        Cell(task.name),
        Cell(format_count(task.n)),
        Cell(_format_metric_with_arrow(main_metric)),
        _build_value_cell(main_metric, task, strong=True),
        _build_interval_cell(main_metric),
        Cell(format_metric(main_metric.baseline)),
        Cell(
            format_percent(main_metric.relative_error_reduction)
            if main_metric.relative_error_reduction is not None
            else NO_VALUE
        ),
        Cell(other_metrics),
    ]


def _format_title(split: SplitMetrics) -> str:
    return f"{split.split_name.capitalize()} data, {format_count(split.n_examples)} examples"


def _format_metric_with_arrow(metric: MetricValue) -> str:
    return format_metric_name(metric.name) + (" ↓" if metric.lower_is_better else "")


def _build_value_cell(metric: MetricValue | None, task: TaskMetrics, strong: bool = False) -> Cell:
    if metric is None:
        return Cell(NO_VALUE)
    note = f"n {format_count(metric.n)}" if metric.n != task.n and metric.value is not None else ""
    return Cell(format_metric(metric.value, metric.n), note, strong=strong)


def _build_interval_cell(metric: MetricValue | None) -> Cell:
    interval = metric.interval if metric else None
    return Cell(format_range(format_metric(interval[0]), format_metric(interval[1])) if interval else NO_VALUE)


def _is_proportion(split: SplitMetrics, metric: str) -> bool:
    return any(one.is_proportion for task in split.tasks for one in task.metrics if one.name == metric)


def get_baseline_name(is_proportion: bool) -> str:
    """Return the name of the baseline of a metric: that of proportions predicts the majority class."""
    return MAJORITY if is_proportion else BASELINE


def draw_results(split: SplitMetrics, palette: Palette) -> Iterator[Drawing]:
    """Draw the main metrics, one figure per metric; errors are divided by those of the baseline."""
    by_metric: dict[str, list[tuple[str, MetricValue]]] = {}
    include_overall = split.shared_metric is not None and len(split.tasks) > 1
    for task in [*split.tasks, *([split.overall] if include_overall else [])]:
        if task.main_metric is not None:
            by_metric.setdefault(task.main_metric.name, []).append((task.name, task.main_metric))
    for metric, metrics in by_metric.items():
        first = metrics[0][1]
        for start in range(0, len(metrics), MAX_BARS):
            bars = [_build_bar(name, metric_value) for name, metric_value in metrics[start : start + MAX_BARS]]
            name = f"results-{slugify(metric)}" + (f"-{start // MAX_BARS + 1}" if start else "")
            axis = (
                f"{format_metric_name(metric)}, baseline = 1, smaller is better"
                if first.lower_is_better
                else format_metric_name(metric)
            )
            yield draw_bars(name, bars, axis, first.is_proportion, get_baseline_name(first.is_proportion), palette)


def _build_bar(name: str, metric: MetricValue) -> Bar:
    if metric.value is None:
        return Bar(name, None, "undefined", None)
    if metric.lower_is_better:
        relative_error = metric.value / metric.baseline if metric.baseline else None
        return Bar(name, relative_error, format_metric(metric.value), 1.0 if metric.baseline else None)
    low, high = metric.interval or (None, None)
    formatted_value = format_percent(metric.value) if metric.is_proportion else format_metric(metric.value)
    return Bar(name, metric.value, formatted_value, metric.baseline, low, high)


def _build_caption(split: SplitMetrics) -> str:
    has_proportions = any(task.main_metric is not None and task.main_metric.is_proportion for task in split.tasks)
    caption = f"The metric of each task on the {split.split_name} data (bar) and its baseline (vertical line)."
    return caption + (" Thin lines are 95 % intervals (Wilson)." if has_proportions else "")
