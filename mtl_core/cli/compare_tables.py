"""The tables of a comparison in the terminal."""

from collections.abc import Iterator

from rich.table import Table

from mtl_core.artifacts.comparison import VERDICT_MARKS, Comparison, Estimate, VariantSummary
from mtl_core.experiments.compare.formatting import format_delta_m, format_difference, group_by_task
from mtl_core.reporting.formatting import format_metric, format_metric_name

MAX_MIN_WIDTH = 28
"""Upper limit of the minimum width of a column, in characters."""


def build_score_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield one table per task: the score of each variant, its interval, and the difference from the reference."""
    rows = {task: [_build_row(task, *pair) for pair in variants] for task, variants in group_by_task(comparison)}
    widths = [max(len(row[index]) for task_rows in rows.values() for row in task_rows) for index in range(5)]
    for index, (task, task_rows) in enumerate(rows.items()):
        table = create_table(_format_task_title(comparison, task), show_header=index == 0)
        headers = [
            "",
            "mean",
            f"{100 * comparison.confidence_level:g} % interval",
            f"against {comparison.reference}",
            "",
        ]
        for column, (header, width) in enumerate(zip(headers, widths, strict=True)):
            table.add_column(
                header,
                justify="right" if column in {1, 2, 3} else "left",
                no_wrap=column > 0,
                overflow="fold",
                min_width=min(max(width, len(header)), MAX_MIN_WIDTH),
            )
        for row, variant in zip(task_rows, comparison.variants, strict=False):
            table.add_row(*row, style="bold" if variant.kind == "multi-task" else None)
        yield table


def _build_row(task: str, variant: VariantSummary, estimate: Estimate) -> list[str]:
    difference = (variant.differences_from_reference or {}).get(task)
    return [
        variant.name,
        format_metric(estimate.mean),
        ""
        if estimate.low is None or estimate.high is None
        else f"{format_metric(estimate.low)} to {format_metric(estimate.high)}",
        "" if difference is None else format_difference(difference),
        "" if difference is None else VERDICT_MARKS[difference.verdict],
    ]


def build_costs_table(comparison: Comparison) -> Table:
    """Build the table of mean relative gains and costs, one row per variant."""
    table = create_table("all tasks: mean relative gain and cost")
    table.add_column("variant", overflow="fold")
    for column in ("mean relative gain", "parameters", "training", "inference"):
        table.add_column(column, justify="right", no_wrap=True)
    for variant in comparison.variants:
        is_trained = variant.kind != "majority"
        table.add_row(
            variant.name,
            "" if variant.delta_m is None else format_delta_m(variant.delta_m),
            f"{variant.parameters:,}" if is_trained else "",
            f"{variant.train_s:.1f} s" if is_trained else "",
            f"{variant.inference_ms:.3f} ms" if is_trained else "",
        )
    return table


def format_title(comparison: Comparison) -> str:
    """Return a one-line title: the experiment, the examples, the seeds and the folds."""
    parts = [f"{comparison.examples:,} {comparison.split_name} examples"]
    if comparison.variants[0].kind != "run":
        parts.append(f"{len(comparison.seeds)} seed{'s' if len(comparison.seeds) > 1 else ''}")
    if comparison.folds:
        parts.append(f"{comparison.folds} folds")
    return f"{comparison.experiment}: {', '.join(parts)}"


def _format_task_title(comparison: Comparison, task: str) -> str:
    measured_task = comparison.tasks.get(task)
    return (
        task if measured_task is None else f"{task} ({format_metric_name(measured_task.metric)}, n={measured_task.n:,})"
    )


def create_table(table_title: str, show_header: bool = True) -> Table:
    """Create a table without lines, under an empty line and a title."""
    return Table(
        title=f"\n{table_title}",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=show_header,
        header_style="dim",
        pad_edge=False,
        padding=(0, 1),
    )
