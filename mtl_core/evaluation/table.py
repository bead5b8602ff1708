"""Terminal tables of scores: network and baseline, per task and overall."""

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mtl_core.evaluation.scores import Figure, Scores, TaskScore


def score_table(scores: Scores, title: str) -> Table:
    """Build a table of scores: one column per metric, or one row per task if tasks have different metrics.

    Args:
        scores: The scores.
        title: The title of the table, which names the evaluated data.
    """
    if len({next(iter(_scalars(score)), None) for score in scores.tasks.values()}) > 1:
        return _mixed_table(scores.tasks, title)
    names = _scalar_names(scores)
    main = names[0] if names else None
    table = _table(title)
    table.add_column("task", no_wrap=True)
    table.add_column("labels", justify="right")
    if main:
        table.add_column(_baseline_name(scores, main), justify="right")
    for name in names:
        table.add_column(
            name.removeprefix(f"{main}_").replace("detection_", "detection ").replace("_", " "),
            justify="right",
            style="bold" if name == main else None,
        )
    for task, score in scores.tasks.items():
        table.add_row(task, *_cells(score, names))
    if main in scores.overall.figures:
        table.add_section()
        table.add_row("overall", *_cells(scores.overall, names), style="bold")
    return table


def auxiliary_table(scores: Mapping[str, TaskScore], title: str) -> Table:
    """Build a table of the scores of auxiliary tasks, with the main metric of each task first."""
    return _mixed_table(scores, title)


def _mixed_table(tasks: Mapping[str, TaskScore], title: str) -> Table:
    table = _table(title)
    table.add_column("task", no_wrap=True)
    table.add_column("labels", justify="right")
    table.add_column("metric")
    table.add_column("baseline", justify="right")
    table.add_column("value", justify="right", style="bold")
    table.add_column("also")
    for task, score in tasks.items():
        scalars = _scalars(score)
        if not scalars:
            table.add_row(task, str(score.n), "-", "-", "-", "")
            continue
        (name, main), *others = scalars.items()
        also = ", ".join(f"{other.replace('_', ' ')} {_number(f.value, f)}" for other, f in others)
        cells = [_number(main.baseline, main), _number(main.value, main)]
        table.add_row(task, str(score.n), name.replace("_", " "), *cells, also)
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _scalars(score: TaskScore) -> dict[str, Figure]:
    return {name: figure for name, figure in score.figures.items() if figure.scalar}


def _scalar_names(scores: Scores) -> list[str]:
    return list(dict.fromkeys(name for score in scores.tasks.values() for name in _scalars(score)))


def _baseline_name(scores: Scores, metric: str) -> str:
    """Return the heading of the baseline: `majority` if the metric is pooled, else `baseline`."""
    pooled = any(score.figures[metric].pooled for score in scores.tasks.values() if metric in score.figures)
    return "majority" if pooled else "baseline"


def _cells(score: TaskScore, names: list[str]) -> list[str]:
    cells = [str(score.n)]
    for index, name in enumerate(names):
        figure = score.figures.get(name)
        if index == 0:
            cells.append(_number(figure.baseline if figure else None, figure))
        cells.append(_number(figure.value if figure else None, figure))
    return cells


def _number(value: object, figure: Figure | None) -> str:
    if figure is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"undefined (n={figure.n})"
