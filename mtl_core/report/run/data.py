"""The section on data: examples, labels, warnings."""

from collections.abc import Mapping, Sequence

from mtl_core.report.blocks import Block, Cell, Column, Folded, Section, Table, Words
from mtl_core.report.run_files import DataFacts
from mtl_core.report.wording import count, percent

OPEN = 60
"""Maximum number of rows of a visible label table; a longer table is collapsed."""
CLASSES = 20
"""Maximum number of classes per task in the label table."""


def data(facts: DataFacts) -> Section:
    """Build the section on examples and labels of each split."""
    parts = list(facts.examples)
    examples = Table(
        "Examples",
        [Column("split", number=False), Column("examples")],
        [[Cell(part), Cell(count(number))] for part, number in facts.examples.items()],
    )
    labels = _labels(facts, parts)
    blocks: list[Block] = []
    if facts.findings:
        blocks.append(Words(list(facts.findings), points=True))
    blocks.append(examples)
    if labels.rows:
        blocks.append(labels if len(labels.rows) <= OPEN else Folded("Labels per task", [labels]))
    if facts.deviation is not None:
        worst = facts.deviation
        blocks.append(
            Words(
                [
                    f"Quality of the split: {worst.task} = {worst.label} has the largest imbalance between "
                    f"training and validation data; its proportion differs by {worst.points:.2f} percentage points."
                ]
            )
        )
    return Section("data", "Data", blocks)


def _labels(facts: DataFacts, parts: Sequence[str]) -> Table:
    tasks = list(dict.fromkeys(task for part in parts for task in facts.label_counts.get(part, {})))
    rows = [row for task in tasks for row in _rows(task, facts.label_counts, parts)]
    columns = [Column("task", number=False), Column("label", number=False), *map(Column, parts)]
    return Table("Labels per split, as counts and as fractions of the task's labels in that split", columns, rows)


def _rows(
    task: str, counts: Mapping[str, Mapping[str, Mapping[str, int]]], parts: Sequence[str]
) -> list[list[Cell]]:
    own = {part: counts.get(part, {}).get(task, {}) for part in parts}
    names = list(dict.fromkeys(name for part in parts for name in own[part]))
    totals = {part: sum(own[part].values()) for part in parts}
    shown = names
    if len(names) > CLASSES:
        frequent = sorted(names, key=lambda name: -sum(own[part].get(name, 0) for part in parts))
        shown = [name for name in names if name in set(frequent[:CLASSES])]
    rows = [
        [
            Cell(task, again=place > 0),
            Cell(name),
            *(_count(own[part].get(name, 0), totals[part]) for part in parts),
        ]
        for place, name in enumerate(shown)
    ]
    if len(shown) < len(names):
        rest = [name for name in names if name not in set(shown)]
        left = {part: sum(own[part].get(name, 0) for name in rest) for part in parts}
        name = Cell(f"{len(rest)} other labels")
        rows.append([Cell(task, again=True), name, *(_count(left[part], totals[part]) for part in parts)])
    return rows


def _count(number: int, total: int) -> Cell:
    share = number / total if total else 0.0
    return Cell(count(number), percent(share) if total else "", bar=share)
