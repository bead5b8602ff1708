"""`mtl interactions`."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtl_core.artifacts.interactions import Matrix, TaskInteractions, mask_diagonal, read_interactions
from mtl_core.artifacts.network_files import open_network_run
from mtl_core.cli.console import measure_width
from mtl_core.errors import MtlError
from mtl_core.progress.bars import print_plain

MAX_SQUARE_TASKS = 10
"""Maximum number of tasks for square tables; with more tasks, pairs are listed."""
MAX_PAIRS = 10
"""Number of listed pairs at each end."""


def interactions_command(path: Path) -> None:
    """Print the tables of a run's `interactions.json`."""
    run = open_network_run(path)
    interactions = read_interactions(run.interactions)
    if interactions is None:
        raise MtlError(
            f"{path}: this run did not measure task interactions; measure them in a new run: "
            f'`mtl run {run.config} --set "interactions={{every_n_steps: 20, affinity: true}}"`'
        )
    console = Console()
    for title, table in _build_tables(
        console, interactions
    ):  # rich would wrap a title of the table to the table's width
        print_plain(console, title, style="bold")
        console.print(table)
    for sentence in interactions.suggestions:
        print_plain(console, sentence)
    print_plain(console, f"{run.interactions}: all values")


def _build_tables(console: Console, interactions: TaskInteractions) -> Iterator[tuple[str, Table]]:
    """Yield titles and tables."""
    names = interactions.tasks
    if len(names) > MAX_SQUARE_TASKS:
        yield _build_pairs_table(interactions)
        return
    cosine, conflicts = mask_diagonal(interactions.cosine), mask_diagonal(interactions.conflicts)
    yield "mean cosine of gradients", _build_square_table(console, names, cosine, lambda value: f"{value:+.2f}")
    conflicts_title = "share of steps with conflicting gradients"
    yield conflicts_title, _build_square_table(console, names, conflicts, lambda value: f"{value:.0%}")
    yield (
        "steps with both tasks",
        _build_square_table(console, names, interactions.steps, lambda value: f"{value:.0f}"),
    )
    if interactions.affinity is not None:
        power = _find_power(interactions.affinity)
        title = "affinity of the row's task onto the column's" + (f", in 10^-{power}" if power else "")
        yield (
            title,
            _build_square_table(console, names, interactions.affinity, lambda value: f"{value * 10**power:+.2f}"),
        )


def _build_square_table(
    console: Console, tasks: Sequence[str], matrix: Matrix, format_value: Callable[[float], str]
) -> Table:
    """Build a table with one row and one column per task; in a narrow terminal, the headings are numbers."""
    cells = [["-" if value is None else format_value(value) for value in row] for row in matrix]
    table = _build_matrix_table(tasks, tasks, cells)
    if measure_width(console, table) <= console.width:
        return table
    numbers = [str(number) for number in range(1, len(tasks) + 1)]
    row_names = [f"{number} {name}" for number, name in zip(numbers, tasks, strict=True)]
    return _build_matrix_table(row_names, numbers, cells)


def _build_matrix_table(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    table = _create_table()
    table.add_column("", overflow="fold")
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in zip(rows, cells, strict=True):
        table.add_row(name, *row)
    return table


def _find_power(matrix: Matrix) -> int:
    """Return the power of 10 that scales the largest value to at least 1."""
    largest = max((abs(value) for row in matrix for value in row if value is not None), default=0.0)
    return next((power for power in range(0, 12, 3) if largest * 10**power >= 1), 0)


def _build_pairs_table(interactions: TaskInteractions) -> tuple[str, Table]:
    """Build the table of the pairs with the lowest and the highest mean cosine."""
    pairs = sorted(interactions.pairs, key=lambda pair: interactions.cosine[pair[0]][pair[1]] or 0.0)
    selected_pairs = pairs if len(pairs) <= 2 * MAX_PAIRS else [*pairs[:MAX_PAIRS], *pairs[-MAX_PAIRS:]]
    table = _create_table()
    for title in ("task", "task"):
        table.add_column(title, no_wrap=True)
    for title in ("cosine", "conflicts", "steps"):
        table.add_column(title, justify="right")
    for a, b in selected_pairs:
        cosine, share = interactions.cosine[a][b], interactions.conflicts[a][b]
        cells = [f"{cosine or 0:+.2f}", f"{share or 0:.0%}", str(interactions.steps[a][b])]
        table.add_row(interactions.tasks[a], interactions.tasks[b], *cells)
    return f"mean cosine of gradients: {len(selected_pairs)} of {len(pairs)} pairs", table


def _create_table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
