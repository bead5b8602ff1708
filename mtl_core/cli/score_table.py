"""Terminal tables of scores: network and baseline, per task and overall."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_core.cli.console import measure_width
from mtl_core.evaluation.scores import MetricValue, Scores, TaskScore

MAX_NAME_WIDTH = 26
"""Maximum width of the column of task names, in characters; longer names continue on the next line."""
MIN_EXTRA_WIDTH = 24
"""Minimum width of the column of further metrics, in characters; without it, each metric has its own row."""


class _Column(NamedTuple):
    """A column of numbers: its heading, its cells from top to bottom, and its style."""

    heading: str
    cells: Sequence[str]
    style: str | None = None


def print_scores(console: Console, scores: Scores, title: str) -> None:
    """Print a table of scores: one column per metric, or one row per task if tasks have different metrics.

    Columns that do not fit the terminal's width are printed as a second table.

    Args:
        console: The console.
        scores: The scores.
        title: The title of the table, which names the evaluated data.
    """
    if len({next(iter(_select_scalars(score)), None) for score in scores.tasks.values()}) > 1:
        print_mixed_scores(console, scores.tasks, title)
        return
    names = _list_scalar_names(scores)
    main = names[0] if names else None
    has_overall = main in scores.overall.metrics
    rows = [*scores.tasks.values(), *([scores.overall] if has_overall else [])]
    columns = [_Column("labels", [str(score.n) for score in rows])]
    if main:
        columns.append(_Column(_get_baseline_heading(scores, main), _format_column(rows, main, is_baseline=True)))
    for name in names:
        heading = name.removeprefix(f"{main}_").replace("detection_", "detection ").replace("_", " ")
        columns.append(_Column(heading, _format_column(rows, name), "bold" if name == main else None))
    tasks = list(scores.tasks)
    if measure_width(console, _build_uniform_table(tasks, columns, title)) > console.width:
        columns = [column._replace(heading=column.heading.replace(" ", "\n")) for column in columns]
    while columns:
        count = len(columns)
        while count > 1 and measure_width(console, _build_uniform_table(tasks, columns[:count], title)) > console.width:
            count -= 1
        console.print(_build_uniform_table(tasks, columns[:count], title))
        columns, title = columns[count:], f"{title.removesuffix(', continued')}, continued"


def _build_uniform_table(tasks: Sequence[str], columns: Sequence[_Column], title: str) -> Table:
    """Build a table with one row per task, and one for all of them if the columns have one more cell."""
    table = _create_table(title)
    for column in columns:
        table.add_column(column.heading, justify="right", style=column.style, no_wrap=True)
    *task_rows, last_row = zip(*(column.cells for column in columns), strict=True)
    has_overall = len(task_rows) == len(tasks)
    for task, cells in zip(tasks, task_rows if has_overall else [*task_rows, last_row], strict=True):
        table.add_row(task, *cells)
    if has_overall:
        table.add_section()
        table.add_row("overall", *last_row, style="bold")
    return table


def print_mixed_scores(console: Console, tasks: Mapping[str, TaskScore], title: str) -> None:
    """Print a table of tasks with different metrics, with the main metric of each task first.

    Further metrics have a column, or, if the terminal is too narrow, one row each.
    """
    rows = [_list_metric_rows(task, score) for task, score in tasks.items()]
    extra = [", ".join(f"{row[2]} {row[4]}" for row in task_rows[1:]) for task_rows in rows]
    table = _build_mixed_table([task_rows[0] for task_rows in rows], title)
    if console.width - measure_width(console, table) - 2 >= min(MIN_EXTRA_WIDTH, max(map(len, extra), default=0)):
        first_rows = [(*task_rows[0], text) for task_rows, text in zip(rows, extra, strict=True)]
        table = _build_mixed_table(first_rows, title, "also")
    else:
        table = _build_mixed_table([row for task_rows in rows for row in task_rows], title)
    console.print(table)


def _build_mixed_table(rows: Sequence[Sequence[str]], title: str, *headings: str) -> Table:
    table = _create_table(title)
    table.add_column("labels", justify="right", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    table.add_column("baseline", justify="right", no_wrap=True)
    table.add_column("value", justify="right", style="bold", no_wrap=True)
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    return table


def _list_metric_rows(task: str, score: TaskScore) -> list[tuple[str, str, str, str, str]]:
    """List one row per metric: task and number of labels in the first one, then name, baseline and value."""
    rows = [
        (name.replace("_", " "), _format_value(metric.baseline, metric), _format_value(metric.value, metric))
        for name, metric in _select_scalars(score).items()
    ]
    first, *remaining = rows or [("-", "-", "-")]
    return [(task, str(score.n), *first), *(("", "", *row) for row in remaining)]


def _create_table(title: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("task", overflow="fold", max_width=MAX_NAME_WIDTH)
    return table


def _select_scalars(score: TaskScore) -> dict[str, MetricValue]:
    return {name: metric for name, metric in score.metrics.items() if metric.scalar}


def _list_scalar_names(scores: Scores) -> list[str]:
    return list(dict.fromkeys(name for score in scores.tasks.values() for name in _select_scalars(score)))


def _get_baseline_heading(scores: Scores, metric: str) -> str:
    """Return the heading of the baseline: `majority` if the metric is pooled, else `baseline`."""
    pooled = any(score.metrics[metric].pooled for score in scores.tasks.values() if metric in score.metrics)
    return "majority" if pooled else "baseline"


def _format_column(rows: Sequence[TaskScore], name: str, is_baseline: bool = False) -> list[str]:
    metrics = [score.metrics.get(name) for score in rows]
    values = [metric and (metric.baseline if is_baseline else metric.value) for metric in metrics]
    return [_format_value(value, metric) for value, metric in zip(values, metrics, strict=True)]


def _format_value(value: object, metric: MetricValue | None) -> str:
    if metric is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"undefined (n={metric.n})"
