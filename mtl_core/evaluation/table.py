"""The table of a run: for each task and overall, the baseline beside the network."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mtl_core.evaluation.scores import Figure, Scores, TaskScore


def score_table(scores: Scores, title: str) -> Table:
    """Lay scores out for the terminal.

    Args:
        scores: What was measured.
        title: What it was measured on.
    """
    names = _scalar_names(scores)
    main = names[0] if names else None
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("task", no_wrap=True)
    table.add_column("labels", justify="right")
    if main:
        table.add_column("majority", justify="right")
    for name in names:
        table.add_column(
            name.removeprefix(f"{main}_").replace("_", " "), justify="right", style="bold" if name == main else None
        )
    for task, score in scores.tasks.items():
        table.add_row(task, *_cells(score, names))
    table.add_section()
    table.add_row("overall", *_cells(scores.overall, names), style="bold")
    return table


def _scalar_names(scores: Scores) -> list[str]:
    names: dict[str, None] = {}
    for score in scores.tasks.values():
        names |= {name: None for name, figure in score.figures.items() if figure.scalar}
    return list(names)


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
    return f"{value:.4f}" if isinstance(value, float) else f"undefined (n={figure.n})"
