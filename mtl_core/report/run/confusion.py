"""The section on confusion matrices."""

from collections.abc import Mapping, Sequence

from mtl_core.report.blocks import Block, Cell, Column, Folded, Section, Side, Table, Words
from mtl_core.report.figures_of import PartFigures, TaskFigures
from mtl_core.report.wording import count, percent

OPEN = 12
"""Maximum number of visible matrices; the rest is collapsed."""
WIDEST = 16
"""Maximum number of classes for a matrix; above it, a table lists the most frequent confusions."""
LISTED = 10


def confusion(part: PartFigures, classes: Mapping[str, Sequence[str]]) -> Section | None:
    """Build the section; None if no task has a confusion matrix."""
    tables = [table for task in part.tasks if (table := _table(task, classes.get(task.name, ()))) is not None]
    if not tables:
        return None
    how = f"On the {part.part} data. Rows: true classes; columns: predicted classes; shade: fraction of the row."
    blocks: list[Block] = [Words([how]), Side(tables[:OPEN])]
    if len(tables) > OPEN:
        blocks.append(Folded(f"The other {len(tables) - OPEN} tasks", [Side(tables[OPEN:])]))
    return Section("confusion", "Confusion matrices", blocks)


def _table(task: TaskFigures, classes: Sequence[str]) -> Table | None:
    matrix = task.confusion
    if matrix is None or len(matrix) != len(classes) or any(len(row) != len(classes) for row in matrix):
        return None
    return _matrix(task.name, matrix, classes) if len(classes) <= WIDEST else _list(task.name, matrix, classes)


def _matrix(name: str, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    rows = []
    for true, numbers in zip(classes, matrix, strict=True):
        total = sum(numbers)
        rows.append(
            [
                Cell(true),
                *(
                    Cell(count(number), heat=number / total if total else 0.0, strong=said == true)
                    for said, number in zip(classes, numbers, strict=True)
                ),
            ]
        )
    return Table(name, [Column("true \\ predicted", number=False), *map(Column, classes)], rows, compact=True)


def _list(name: str, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    wrong = [
        (number, true, predicted)
        for true, numbers in enumerate(matrix)
        for predicted, number in enumerate(numbers)
        if true != predicted and number
    ]
    most = sorted(wrong, key=lambda one: -one[0])[:LISTED]
    columns = [
        Column("true", number=False),
        Column("predicted", number=False),
        Column("count"),
        Column("fraction of true class"),
    ]
    rows = [
        [Cell(classes[true]), Cell(classes[said]), Cell(count(number)), Cell(percent(number / sum(matrix[true])))]
        for number, true, said in most
    ]
    return Table(f"{name}: the most frequent confusions of {len(classes)} classes", columns, rows)
