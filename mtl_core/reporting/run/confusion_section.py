"""The section on confusion matrices."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.reporting.blocks import Block, Cell, Collapsible, Column, Section, SideBySide, Table, TextBlock
from mtl_core.reporting.formatting import format_count, format_percent, pluralize
from mtl_core.reporting.many_task_blocks import group_by_classes
from mtl_core.reporting.task_metrics import SplitMetrics, TaskMetrics

MAX_OPEN_TABLES = 12
"""Maximum number of visible matrices; the rest is collapsed."""
MAX_MATRIX_CLASSES = 16
"""Maximum number of classes for a matrix; above it, a table lists the most frequent confusions."""
MAX_CONFUSIONS = 10


def build_confusion_section(split: SplitMetrics, classes: Mapping[str, Sequence[str]]) -> Section | None:
    """Build the section; None if no task has a confusion matrix."""
    if has_many_tasks(len(split.tasks)):
        return _build_pooled_section(split, classes)
    tables = [table for task in split.tasks if (table := _build_table(task, classes.get(task.name, ()))) is not None]
    if not tables:
        return None
    explanation = "Rows: true classes; columns: predicted classes; shade: fraction of the row."
    blocks: list[Block] = [
        TextBlock([f"On the {split.split_name} data. {explanation}"]),
        SideBySide(tables[:MAX_OPEN_TABLES]),
    ]
    if len(tables) > MAX_OPEN_TABLES:
        blocks.append(
            Collapsible(f"The other {len(tables) - MAX_OPEN_TABLES} tasks", [SideBySide(tables[MAX_OPEN_TABLES:])])
        )
    return Section("confusion", "Confusion matrices", blocks)


def _build_pooled_section(split: SplitMetrics, classes: Mapping[str, Sequence[str]]) -> Section | None:
    """Build one matrix per set of classes, summed over the tasks that have it; None without a matrix."""
    matrices = {task.name: task.confusion for task in split.tasks if task.confusion is not None}
    sets = group_by_classes({name: classes.get(name, ()) for name in matrices})
    tables = []
    for names, tasks in sets.items():
        total = np.zeros((len(names), len(names)), dtype=np.int64)
        for task in tasks:
            if len(matrices[task]) == len(names):
                total += np.array(matrices[task])
        pooled = TaskMetrics(pluralize(len(tasks), "task"), int(total.sum()), None, [], total.tolist())
        if (table := _build_table(pooled, names)) is not None:
            tables.append(table)
    if not tables:
        return None
    sentences = [
        f"On the {split.split_name} data, summed over all tasks with the same classes; metrics.json contains the "
        "matrix of each task. Rows: true classes; columns: predicted classes; shade: fraction of the row."
    ]
    if len(tables) > MAX_OPEN_TABLES:
        sentences.append(f"Of {len(tables)} sets of classes, those of most tasks are shown.")
    return Section("confusion", "Confusion matrices", [TextBlock(sentences), SideBySide(tables[:MAX_OPEN_TABLES])])


def _build_table(task: TaskMetrics, classes: Sequence[str]) -> Table | None:
    matrix = task.confusion
    if matrix is None or len(matrix) != len(classes) or any(len(row) != len(classes) for row in matrix):
        return None
    return (
        _build_matrix_table(task.name, matrix, classes)
        if len(classes) <= MAX_MATRIX_CLASSES
        else _build_list_table(task.name, matrix, classes)
    )


def _build_matrix_table(name: str, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    rows = []
    for true, numbers in zip(classes, matrix, strict=True):
        total = sum(numbers)
        rows.append(
            [
                Cell(true),
                *(
                    Cell(format_count(number), heat=number / total if total else 0.0, strong=predicted_class == true)
                    for predicted_class, number in zip(classes, numbers, strict=True)
                ),
            ]
        )
    return Table(name, [Column("true \\ predicted", is_numeric=False), *map(Column, classes)], rows, compact=True)


def _build_list_table(name: str, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    confusions = [
        (number, true, predicted)
        for true, numbers in enumerate(matrix)
        for predicted, number in enumerate(numbers)
        if true != predicted and number
    ]
    most_frequent = sorted(confusions, key=lambda one: -one[0])[:MAX_CONFUSIONS]
    columns = [
        Column("true", is_numeric=False),
        Column("predicted", is_numeric=False),
        Column("count"),
        Column("fraction of true class"),
    ]
    rows = [
        [
            Cell(classes[true]),
            Cell(classes[predicted_index]),
            Cell(format_count(number)),
            Cell(format_percent(number / sum(matrix[true]))),
        ]
        for number, true, predicted_index in most_frequent
    ]
    return Table(f"{name}: the most frequent confusions of {len(classes)} classes", columns, rows)
