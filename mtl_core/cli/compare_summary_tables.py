"""The tables of a comparison of many tasks in the terminal: verdicts per variant, and the largest differences."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from mtl_core.artifacts.comparison import VERDICT_MARKS, Comparison, VariantSummary
from mtl_core.artifacts.comparison_summary import RankedDifference, summarize_differences
from mtl_core.cli.compare_tables import create_table
from mtl_core.experiments.compare.formatting import format_difference, format_interval
from mtl_core.reporting.formatting import format_metric
from mtl_core.statistics.verdicts import Verdict

SHOWN_VERDICTS: tuple[Verdict, ...] = ("improved", "degraded", "practically equal", "not resolved")
"""The verdicts that the table counts; undefined differences are the rest."""


def build_verdict_table(comparison: Comparison) -> Table:
    """Build the table of verdicts: one row per variant with the number of tasks per verdict."""
    table = create_table(
        f"{len(comparison.tasks):,} tasks against {comparison.reference}: ▲ improved, ▼ degraded, = equal"
    )
    table.add_column("variant", overflow="fold")
    for column in [*(VERDICT_MARKS[verdict] or verdict for verdict in SHOWN_VERDICTS), "mean difference"]:
        table.add_column(column, justify="right", no_wrap=True)
    for variant in comparison.variants:
        summary = summarize_differences(comparison, variant)
        if summary is None:
            continue
        table.add_row(
            variant.name,
            *(f"{summary.counts[verdict]:,}" for verdict in SHOWN_VERDICTS),
            "" if variant.mean_difference is None else format_interval(variant.mean_difference),
            style="bold" if variant.kind == "multi-task" else None,
        )
    return table


def describe_costs(comparison: Comparison) -> str:
    """Return a sentence on the time of training."""
    times = ", ".join(f"{one.name} {one.train_s:,.1f} s" for one in comparison.variants if one.kind != "majority")
    return f"Training, all tasks, median over seeds: {times}."


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
