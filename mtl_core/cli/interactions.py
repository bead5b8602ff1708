"""`mtl interactions`."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_core.errors import MtlError
from mtl_core.report.interactions import Interactions, Matrix, read_interactions
from mtl_core.runs.directory import RunDirectory

MOST = 10
"""Maximum number of tasks for square tables; with more tasks, pairs are listed."""
LISTED = 10
"""Number of listed pairs at each end."""


def interactions_command(path: Path) -> None:
    """Print the tables of a run's `interactions.json`."""
    run = RunDirectory.open(path)
    found = read_interactions(run.interactions)
    if found is None:
        raise MtlError(
            f"{path}: this run did not measure task interactions; measure them in a new run: "
            f'`mtl run {run.config} --set "interactions={{every: 20, affinity: true}}"`'
        )
    console = Console()
    for title, table in _tables(found):  # rich would wrap a title of the table to the table's width
        console.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
        console.print(table)
    for sentence in found.suggestions:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{run.interactions}: all values", highlight=False, markup=False, soft_wrap=True)


def _tables(found: Interactions) -> Iterator[tuple[str, Table]]:
    """Yield titles and tables."""
    names = found.tasks
    if len(names) > MOST:
        yield _pairs(found)
        return
    cosine, conflicts = _others(found.cosine), _others(found.conflicts)
    yield "mean cosine of gradients", _square(names, cosine, lambda value: f"{value:+.2f}")
    apart = "share of steps with conflicting gradients"
    yield apart, _square(names, conflicts, lambda value: f"{value:.0%}")
    yield "steps with both tasks", _square(names, found.steps, lambda value: f"{value:.0f}")
    if found.affinity is not None:
        power = _power(found.affinity)
        title = "affinity of the row's task onto the column's" + (f", in 10^-{power}" if power else "")
        yield title, _square(names, found.affinity, lambda value: f"{value * 10**power:+.2f}")


def _square(tasks: Sequence[str], matrix: Matrix, form: Callable[[float], str]) -> Table:
    table = _table()
    table.add_column("", no_wrap=True)
    for name in tasks:
        table.add_column(name, justify="right")
    for name, row in zip(tasks, matrix, strict=True):
        table.add_row(name, *("-" if value is None else form(value) for value in row))
    return table


def _power(matrix: Matrix) -> int:
    """Return the power of 10 that scales the largest value to at least 1."""
    largest = max((abs(value) for row in matrix for value in row if value is not None), default=0.0)
    return next((power for power in range(0, 12, 3) if largest * 10**power >= 1), 0)


def _others(matrix: Matrix) -> Matrix:
    """Replace the diagonal, which has no meaning, by None."""
    return [[None if at == place else value for at, value in enumerate(row)] for place, row in enumerate(matrix)]


def _pairs(found: Interactions) -> tuple[str, Table]:
    """Build the table of the pairs with the lowest and the highest mean cosine."""
    pairs = sorted(found.pairs, key=lambda pair: found.cosine[pair[0]][pair[1]] or 0.0)
    shown = pairs if len(pairs) <= 2 * LISTED else [*pairs[:LISTED], *pairs[-LISTED:]]
    table = _table()
    for title in ("task", "task"):
        table.add_column(title, no_wrap=True)
    for title in ("cosine", "conflicts", "steps"):
        table.add_column(title, justify="right")
    for a, b in shown:
        cosine, share = found.cosine[a][b], found.conflicts[a][b]
        cells = [f"{cosine or 0:+.2f}", f"{share or 0:.0%}", str(found.steps[a][b])]
        table.add_row(found.tasks[a], found.tasks[b], *cells)
    return f"mean cosine of gradients: {len(shown)} of {len(pairs)} pairs", table


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
