"""The tables of a comparison of many tasks in the terminal: verdicts per variant, and the largest differences."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from mtl_core.artifacts.comparison import VERDICT_MARKS, Comparison, VariantSummary
from mtl_core.artifacts.comparison_summary import RankedDifference, summarize_differences
from mtl_core.cli.compare_tables import create_table
from mtl_core.experiments.compare.formatting import format_delta_m, format_difference, format_interval
from mtl_core.reporting.formatting import format_metric


def build_verdict_table(comparison: Comparison) -> Table:
    """Build the table of verdicts and costs, one row per variant."""
    table = create_table(f"{len(comparison.tasks):,} tasks: differences from {comparison.reference}, and cost")
    table.add_column("variant", overflow="fold")
    columns = ["improved", "degraded", "equal", "not resolved", "mean difference", "relative gain", "parameters"]
    for column in [*columns, "training"]:
        table.add_column(column, justify="right", no_wrap=True)
    for variant in comparison.variants:
        table.add_row(*_build_row(comparison, variant), style="bold" if variant.kind == "multi-task" else None)
    return table


def _build_row(comparison: Comparison, variant: VariantSummary) -> list[str]:
    summary = summarize_differences(comparison, variant)
    counts = [""] * 4
    if summary is not None:
        verdicts = ("improved", "degraded", "practically equal", "not resolved")
        counts = [f"{summary.counts[verdict]:,}" for verdict in verdicts]  # type: ignore[index]
    is_trained = variant.kind != "majority"
    return [
        variant.name,
        *counts,
        "" if variant.mean_difference is None else format_interval(variant.mean_difference),
        "" if variant.delta_m is None else format_delta_m(variant.delta_m),
        f"{variant.parameters:,}" if is_trained else "",
        f"{variant.train_s:.1f} s" if is_trained else "",
    ]


def build_ranked_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield the tables of the largest improvements and of the largest degradations of multi-task learning."""
    variant = next((one for one in comparison.variants if one.kind == "multi-task"), None)
    if variant is None:
        variant = next((one for one in comparison.variants if one.name != comparison.reference), None)
    summary = summarize_differences(comparison, variant) if variant is not None else None
    if variant is None or summary is None:
        return
    for word, ranked in (("improvements", summary.improvements), ("degradations", summary.degradations)):
        if ranked:
            yield _build_ranked_table(f"{len(ranked)} largest {word} of {variant.name}", comparison, variant, ranked)


def _build_ranked_table(
    title: str, comparison: Comparison, variant: VariantSummary, ranked: Sequence[RankedDifference]
) -> Table:
    reference = next(one for one in comparison.variants if one.name == comparison.reference)
    table = create_table(title)
    table.add_column("task", overflow="fold")
    for column in ("n", reference.name, variant.name, "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for one in ranked:
        table.add_row(
            one.task,
            f"{comparison.tasks[one.task].n:,}",
            format_metric(reference.tasks[one.task].mean),
            format_metric(variant.tasks[one.task].mean),
            format_difference(one.difference),
            VERDICT_MARKS[one.difference.verdict],
        )
    return table
