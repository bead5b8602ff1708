"""What the run cost: time, memory, parameters, auxiliary tasks."""

from collections.abc import Sequence

from mtl_core.report.blocks import Block, Cell, Column, Section, Table
from mtl_core.report.figures_of import PartFigures, TaskFigures
from mtl_core.report.run_files import Cost, RunFiles
from mtl_core.report.wording import NONE, count, decimals, percent, seconds, spoken

STAGES = {
    "load_s": "reading and splitting the data",
    "encode_s": "encoding",
    "train_s": "training, validation after each epoch included",
    "interactions_s": "looking at how tasks interact",
    "evaluate_s": "evaluation",
}


def cost(files: RunFiles) -> Section:
    """The section on time, memory and parameters."""
    rows = [
        [Cell(words), Cell(seconds(value))] for name, words in STAGES.items() if (value := files.timing.get(name))
    ]
    speed = files.timing.get("train_examples_per_s")
    if speed is not None:
        rows.append([Cell("examples that training visited"), Cell(f"{count(speed)} a second")])
    answer = files.timing.get("inference_ms")
    if answer is not None:
        rows.append([Cell("the network's answer for an example, in one thread"), Cell(f"{answer:.3g} ms")])
    memory = files.timing.get("peak_memory_mb")
    if memory is not None:
        rows.append([Cell("memory of the process, at most"), Cell(f"{count(memory)} MB")])
    rows.append([Cell("parameters that training moved"), Cell(count(files.parameters))])
    return Section(
        "cost", "Time and memory", [Table("What the run took", [Column("what", False), Column("how much")], rows)]
    )


def auxiliary(files: RunFiles) -> Section | None:
    """The section on auxiliary tasks: what they learned, and what they cost; None if there are none."""
    part = files.judged
    blocks: list[Block] = []
    if files.costs:
        blocks.append(_costs(files.costs))
    if part is not None and part.auxiliary:
        blocks.append(_figures(part))
    return Section("auxiliary", "Auxiliary tasks", blocks) if blocks else None


def _costs(costs: Sequence[Cost]) -> Table:
    columns = [
        Column("auxiliary task", number=False),
        Column("weight"),
        Column("parameters"),
        Column("a step with it"),
        Column("without it"),
        Column("more time"),
    ]
    rows = [
        [
            Cell(one.name),
            Cell(f"{one.weight:g}"),
            Cell(count(one.parameters)),
            Cell(f"{one.step_ms:.1f} ms"),
            Cell(f"{one.without_ms:.1f} ms"),
            Cell(
                percent(one.step_ms / one.without_ms - 1) if one.measurable and one.without_ms else "not measurable"
            ),
        ]
        for one in costs
    ]
    note = (
        "They are there to help the others and count in no figure above; whether they do, `mtl ablate` finds out."
    )
    return Table("What auxiliary tasks cost", columns, rows, notes=[note])


def _figures(part: PartFigures) -> Table:
    columns = [
        Column("task", number=False),
        Column("labels"),
        Column("metric", number=False),
        Column("value"),
        Column("baseline"),
    ]
    return Table(f"What they learned, {part.part} data", columns, [_figure_row(task) for task in part.auxiliary])


def _figure_row(task: TaskFigures) -> list[Cell]:
    main = task.main
    if main is None:
        return [Cell(task.name), Cell(count(task.n)), Cell(NONE), Cell(NONE), Cell(NONE)]
    cells = [Cell(spoken(main.name)), Cell(decimals(main.value, main.n)), Cell(decimals(main.baseline))]
    return [Cell(task.name), Cell(count(task.n)), *cells]
