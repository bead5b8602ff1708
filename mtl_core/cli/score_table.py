"""Terminal tables of scores: network and baseline, per task and overall."""

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mtl_core.evaluation.scores import MetricValue, Scores, TaskScore


def build_score_table(scores: Scores, title: str) -> Table:
    """Build a table of scores: one column per metric, or one row per task if tasks have different metrics.

    Args:
        scores: The scores.
        title: The title of the table, which names the evaluated data.
    """
    if len({next(iter(_select_scalars(score)), None) for score in scores.tasks.values()}) > 1:
        return _build_mixed_table(scores.tasks, title)
    names = _list_scalar_names(scores)
    main = names[0] if names else None
    table = _create_table(title)
    table.add_column("task", no_wrap=True)
    table.add_column("labels", justify="right")
    if main:
        table.add_column(_get_baseline_heading(scores, main), justify="right")
    for name in names:
        table.add_column(
            name.removeprefix(f"{main}_").replace("detection_", "detection ").replace("_", " "),
            justify="right",
            style="bold" if name == main else None,
        )
    for task, score in scores.tasks.items():
        table.add_row(task, *_format_cells(score, names))
    if main in scores.overall.metrics:
        table.add_section()
        table.add_row("overall", *_format_cells(scores.overall, names), style="bold")
    return table


def build_auxiliary_table(scores: Mapping[str, TaskScore], title: str) -> Table:
    """Build a table of the scores of auxiliary tasks, with the main metric of each task first."""
    return _build_mixed_table(scores, title)


def _build_mixed_table(tasks: Mapping[str, TaskScore], title: str) -> Table:
    table = _create_table(title)
    table.add_column("task", no_wrap=True)
    table.add_column("labels", justify="right")
    table.add_column("metric")
    table.add_column("baseline", justify="right")
    table.add_column("value", justify="right", style="bold")
    table.add_column("also")
    for task, score in tasks.items():
        scalars = _select_scalars(score)
        if not scalars:
            table.add_row(task, str(score.n), "-", "-", "-", "")
            continue
        (name, main), *remaining = scalars.items()
        extra = ", ".join(
            f"{other.replace('_', ' ')} {_format_value(metric_value.value, metric_value)}"
            for other, metric_value in remaining
        )
        cells = [_format_value(main.baseline, main), _format_value(main.value, main)]
        table.add_row(task, str(score.n), name.replace("_", " "), *cells, extra)
    return table


def _create_table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _select_scalars(score: TaskScore) -> dict[str, MetricValue]:
    return {name: metric for name, metric in score.metrics.items() if metric.scalar}


def _list_scalar_names(scores: Scores) -> list[str]:
    return list(dict.fromkeys(name for score in scores.tasks.values() for name in _select_scalars(score)))


def _get_baseline_heading(scores: Scores, metric: str) -> str:
    """Return the heading of the baseline: `majority` if the metric is pooled, else `baseline`."""
    pooled = any(score.metrics[metric].pooled for score in scores.tasks.values() if metric in score.metrics)
    return "majority" if pooled else "baseline"


def _format_cells(score: TaskScore, names: list[str]) -> list[str]:
    cells = [str(score.n)]
    for index, name in enumerate(names):
        metric = score.metrics.get(name)
        if index == 0:
            cells.append(_format_value(metric.baseline if metric else None, metric))
        cells.append(_format_value(metric.value if metric else None, metric))
    return cells


def _format_value(value: object, metric: MetricValue | None) -> str:
    if metric is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"undefined (n={metric.n})"
