"""Terminal tables for many tasks: a summary of each metric, and the best and the worst tasks."""

from __future__ import annotations

from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_core.evaluation.scores import Scores
from mtl_core.progress.bars import print_plain
from mtl_core.reporting.formatting import format_metric, format_metric_name, format_percent
from mtl_core.reporting.task_metrics import SplitMetrics, TaskMetrics, parse_split_metrics
from mtl_core.reporting.task_summary import MetricSummary, RankedTasks, rank_tasks, summarize_metrics
from mtl_core.runs.result_files import build_scores_report, find_lower_is_better

MAX_METRICS = 6
"""Maximum number of metrics in the table of a terminal."""
N_VALIDATION_METRICS = 2
"""Number of metrics of the validation split, if there is a test split too."""
NO_VALUE = "-"


def print_score_summary(console: Console, scores: Scores, title: str, n_metrics: int = MAX_METRICS) -> None:
    """Print one row per metric with its mean and its quartiles over the main tasks.

    Args:
        console: The console.
        scores: The scores of many tasks.
        title: The title of the table, which names the evaluated data.
        n_metrics: Maximum number of metrics; main metrics come first.
    """
    summaries = summarize_metrics(_convert_scores(scores))
    table = _create_table(f"{title}, {len(scores.tasks):,} tasks")
    table.add_column("metric")
    for heading in ("tasks", "mean", "baseline", "25 %", "median", "75 %"):
        table.add_column(heading, justify="right", no_wrap=True, style="bold" if heading == "mean" else None)
    for summary in summaries[:n_metrics]:
        quartiles = summary.quartiles or (None, None, None)
        numbers = [summary.mean.value, summary.mean.baseline, *quartiles]
        cells = [NO_VALUE if number is None else format_metric(number) for number in numbers]
        table.add_row(format_metric_name(summary.name), f"{summary.mean.n_tasks:,}", *cells)
    console.print(table)
    for summary in summaries[:1]:
        print_plain(console, describe_baseline_comparison(summary))


def print_ranked_tasks(console: Console, scores: Scores) -> None:
    """Print the best and the worst tasks side by side, each with its labels, its baseline and its value."""
    split = _convert_scores(scores)
    ranked = rank_tasks(split)
    if not ranked.best:
        return
    console.print()
    table = _create_table(f"best and worst tasks by {format_metric_name(ranked.criterion)}")
    for heading in ("best", "worst"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1)
        for number_heading in ("labels", "baseline", "value"):
            table.add_column(number_heading, justify="right", no_wrap=True)
    for best, worst in zip_longest(ranked.best, ranked.worst):
        table.add_row(*_format_task(best, ranked), *_format_task(worst, ranked))
    console.print(table)


def describe_baseline_comparison(summary: MetricSummary) -> str:
    """Return how many tasks are better than their baseline, and how many have no value, in one sentence."""
    text = f"{format_metric_name(summary.name)}: better than the baseline in {summary.n_better:,} of "
    text += f"{summary.n_compared:,} tasks"
    if summary.n_better_than_interval is not None:
        text += f", by more than the 95 % interval in {summary.n_better_than_interval:,}"
    if summary.n_undefined:
        text += f"; undefined in {summary.n_undefined:,}, for lack of labels"
    return text


def _convert_scores(scores: Scores) -> SplitMetrics:
    return parse_split_metrics("", 0, build_scores_report(scores), find_lower_is_better([scores]), scores.mean)


def _format_task(task: TaskMetrics | None, ranked: RankedTasks) -> tuple[str, str, str, str]:
    """Return the cells of a task; empty for None."""
    metric = task.main_metric if task is not None else None
    if task is None or metric is None:
        return "", "", "", ""
    value = format_metric(metric.value)
    if ranked.criterion != metric.name and metric.relative_error_reduction is not None:
        value = format_percent(metric.relative_error_reduction)
    return task.name, f"{task.n:,}", NO_VALUE if metric.baseline is None else format_metric(metric.baseline), value


def _create_table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
