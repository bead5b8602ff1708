"""The section on data: examples, labels, warnings."""

from collections.abc import Mapping, Sequence

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import DataReport
from mtl_core.reporting.blocks import Block, Cell, Collapsible, Column, Section, Table, TextBlock
from mtl_core.reporting.formatting import format_count, format_percent
from mtl_core.reporting.many_task_blocks import build_label_summary

MAX_OPEN_ROWS = 60
"""Maximum number of rows of a visible label table; a longer table is collapsed."""
MAX_CLASSES = 20
"""Maximum number of classes per task in the label table."""


def build_data_section(summary: DataReport) -> Section:
    """Build the section on examples and labels of each split."""
    split_names = list(summary.examples)
    examples = Table(
        "Examples",
        [Column("split", is_numeric=False), Column("examples")],
        [[Cell(split_name), Cell(format_count(n_examples))] for split_name, n_examples in summary.examples.items()],
    )
    n_tasks = len({task for counts in summary.label_counts.values() for task in counts})
    blocks: list[Block] = []
    if summary.warnings:
        blocks.append(TextBlock(list(summary.warnings), is_list=True))
    blocks.append(examples)
    if has_many_tasks(n_tasks):
        blocks += build_label_summary(summary)
    elif (labels := _build_label_table(summary, split_names)).rows:
        blocks.append(labels if len(labels.rows) <= MAX_OPEN_ROWS else Collapsible("Labels per task", [labels]))
    if summary.split_deviation is not None:
        imbalance = summary.split_deviation
        blocks.append(
            TextBlock(
                [
                    f"Quality of the split: {imbalance.task} = {imbalance.label} has the largest imbalance between "
                    f"training and validation data; its proportion differs by {imbalance.points:.2f} percentage "
                    "points."
                ]
            )
        )
    return Section("data", "Data", blocks)


def _build_label_table(summary: DataReport, split_names: Sequence[str]) -> Table:
    tasks = list(dict.fromkeys(task for split_name in split_names for task in summary.label_counts.get(split_name, {})))
    rows = [row for task in tasks for row in _build_label_rows(task, summary.label_counts, split_names)]
    columns = [Column("task", is_numeric=False), Column("label", is_numeric=False), *map(Column, split_names)]
    return Table("Labels per split, as counts and as fractions of the task's labels in that split", columns, rows)


def _build_label_rows(
    task: str, counts: Mapping[str, Mapping[str, Mapping[str, int]]], split_names: Sequence[str]
) -> list[list[Cell]]:
    counts_by_split = {split_name: counts.get(split_name, {}).get(task, {}) for split_name in split_names}
    names = list(dict.fromkeys(name for split_name in split_names for name in counts_by_split[split_name]))
    totals = {split_name: sum(counts_by_split[split_name].values()) for split_name in split_names}
    displayed_names = names
    if len(names) > MAX_CLASSES:
        frequent = sorted(
            names, key=lambda name: -sum(counts_by_split[split_name].get(name, 0) for split_name in split_names)
        )
        displayed_names = [name for name in names if name in set(frequent[:MAX_CLASSES])]
    rows = [
        [
            Cell(task, is_repeated=index > 0),
            Cell(name),
            *(
                _build_count_cell(counts_by_split[split_name].get(name, 0), totals[split_name])
                for split_name in split_names
            ),
        ]
        for index, name in enumerate(displayed_names)
    ]
    if len(displayed_names) < len(names):
        remaining_names = [name for name in names if name not in set(displayed_names)]
        remaining_counts = {
            split_name: sum(counts_by_split[split_name].get(name, 0) for name in remaining_names)
            for split_name in split_names
        }
        name = Cell(f"{len(remaining_names)} other labels")
        rows.append(
            [
                Cell(task, is_repeated=True),
                name,
                *(_build_count_cell(remaining_counts[split_name], totals[split_name]) for split_name in split_names),
            ]
        )
    return rows


def _build_count_cell(n_labels: int, total: int) -> Cell:
    proportion = n_labels / total if total else 0.0
    return Cell(format_count(n_labels), format_percent(proportion) if total else "", bar=proportion)
