"""The sections on cost: time, memory, parameters, auxiliary tasks."""

from collections.abc import Sequence

from mtl_core.report.blocks import Block, Cell, Column, Section, Table
from mtl_core.report.figures_of import PartFigures, TaskFigures
from mtl_core.report.run_files import Cost, RunFiles
from mtl_core.report.wording import NONE, count, decimals, percent, seconds, spoken

STAGES = {
    "load_s": "loading and splitting the data",
    "encode_s": "encoding",
    "train_s": "training, including validation after each epoch",
    "interactions_s": "measuring task interactions",
    "evaluate_s": "evaluation",
}


def cost(files: RunFiles) -> Section:
    """Build the section on time, memory and parameters."""
    rows = [
        [Cell(words), Cell(seconds(value))] for name, words in STAGES.items() if (value := files.timing.get(name))
    ]
    speed = files.timing.get("train_examples_per_s")
    if speed is not None:
        rows.append([Cell("training throughput"), Cell(f"{count(speed)} examples per second")])
    answer = files.timing.get("inference_ms")
    if answer is not None:
        rows.append([Cell("inference per example, in one thread"), Cell(f"{answer:.3g} ms")])
    memory = files.timing.get("peak_memory_mb")
    if memory is not None:
        rows.append([Cell("peak memory of the process"), Cell(f"{count(memory)} MB")])
    rows.append([Cell("trainable parameters"), Cell(count(files.parameters))])
    return Section(
        "cost", "Time and memory", [Table("Resources", [Column("resource", False), Column("amount")], rows)]
    )


def auxiliary(files: RunFiles) -> Section | None:
    """Build the section on auxiliary tasks, their metrics and costs; None if there are none."""
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
        Column("step time with the task"),
        Column("without the task"),
        Column("overhead"),
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
    note = "All metrics above exclude auxiliary tasks. `mtl ablate` measures whether they help the main tasks."
    return Table("Cost of auxiliary tasks", columns, rows, notes=[note])


def _figures(part: PartFigures) -> Table:
    columns = [
        Column("task", number=False),
        Column("labels"),
        Column("metric", number=False),
        Column("value"),
        Column("baseline"),
    ]
    return Table(f"Metrics on {part.part} data", columns, [_figure_row(task) for task in part.auxiliary])


def _figure_row(task: TaskFigures) -> list[Cell]:
    main = task.main
    if main is None:
        return [Cell(task.name), Cell(count(task.n)), Cell(NONE), Cell(NONE), Cell(NONE)]
    cells = [Cell(spoken(main.name)), Cell(decimals(main.value, main.n)), Cell(decimals(main.baseline))]
    return [Cell(task.name), Cell(count(task.n)), *cells]
