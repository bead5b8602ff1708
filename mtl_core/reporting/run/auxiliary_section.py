"""The section on auxiliary tasks: their metrics and costs."""

from collections.abc import Sequence

from mtl_core.artifacts.metrics import AuxiliaryCost
from mtl_core.reporting.blocks import Block, Cell, Column, Section, Table
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_metric,
    format_metric_name,
    format_percent,
)
from mtl_core.reporting.read_run import RunArtifacts
from mtl_core.reporting.task_metrics import SplitMetrics, TaskMetrics


def build_auxiliary_section(artifacts: RunArtifacts) -> Section | None:
    """Build the section on auxiliary tasks, their metrics and costs; None if there are none."""
    split = artifacts.main_split
    blocks: list[Block] = []
    if artifacts.auxiliary_costs:
        blocks.append(_build_cost_table(artifacts.auxiliary_costs))
    if split is not None and split.auxiliary:
        blocks.append(_build_metrics_table(split))
    return Section("auxiliary", "Auxiliary tasks", blocks) if blocks else None


def _build_cost_table(costs: Sequence[AuxiliaryCost]) -> Table:
    columns = [
        Column("auxiliary task", is_numeric=False),
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
            Cell(format_count(one.parameters)),
            Cell(f"{one.step_ms:.1f} ms"),
            Cell(f"{one.without_ms:.1f} ms"),
            Cell(
                format_percent(one.step_ms / one.without_ms - 1)
                if one.measurable and one.without_ms
                else "not measurable"
            ),
        ]
        for one in costs
    ]
    note = "All metrics above exclude auxiliary tasks. `mtl ablate` measures whether they help the main tasks."
    return Table("Cost of auxiliary tasks", columns, rows, notes=[note])


def _build_metrics_table(split: SplitMetrics) -> Table:
    columns = [
        Column("task", is_numeric=False),
        Column("labels"),
        Column("metric", is_numeric=False),
        Column("value"),
        Column("baseline"),
    ]
    return Table(f"Metrics on {split.split_name} data", columns, [_build_metrics_row(task) for task in split.auxiliary])


def _build_metrics_row(task: TaskMetrics) -> list[Cell]:
    main_metric = task.main_metric
    if main_metric is None:
        return [Cell(task.name), Cell(format_count(task.n)), Cell(NO_VALUE), Cell(NO_VALUE), Cell(NO_VALUE)]
    cells = [
        Cell(format_metric_name(main_metric.name)),
        Cell(format_metric(main_metric.value, main_metric.n)),
        Cell(format_metric(main_metric.baseline)),
    ]
    return [Cell(task.name), Cell(format_count(task.n)), *cells]
