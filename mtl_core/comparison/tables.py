"""Format a comparison as tables for the terminal, and as CSV."""

import csv
import io
from collections.abc import Iterator

from rich.table import Table

from mtl_core.comparison.summary import OVERALL, Comparison, Estimate, VariantSummary
from mtl_core.comparison.words import change, number, percent

MARKS = {"gained": "▲", "suffered": "▼", "noise": "", "undefined": ""}
"""Marks of significant differences: improved, or degraded."""
LONGEST = 28
"""Upper limit of the minimum width of a column, in characters."""


def figure_tables(comparison: Comparison) -> Iterator[Table]:
    """Yield one table per task: the score of each variant, its interval, and the difference from the reference."""
    rows = {task: [_row(task, *pair) for pair in variants] for task, variants in by_task(comparison)}
    widths = [max(len(row[place]) for own in rows.values() for row in own) for place in range(5)]
    for place, (task, own) in enumerate(rows.items()):
        table = _table(_title(comparison, task), header=place == 0)
        heads = ["", "mean", f"{100 * comparison.level:g} % interval", f"against {comparison.reference}", ""]
        for column, (head, width) in enumerate(zip(heads, widths, strict=True)):
            table.add_column(
                head,
                justify="right" if column in {1, 2, 3} else "left",
                no_wrap=True,
                min_width=min(max(width, len(head)), LONGEST),
            )
        for row, variant in zip(own, comparison.variants, strict=False):
            table.add_row(*row, style="bold" if variant.kind == "multi-task" else None)
        yield table


def _row(task: str, variant: VariantSummary, estimate: Estimate) -> list[str]:
    difference = (variant.against_single or {}).get(task)
    return [
        variant.name,
        "undefined" if estimate.mean is None else number(estimate.mean),
        ""
        if estimate.low is None or estimate.high is None
        else f"{number(estimate.low)} to {number(estimate.high)}",
        "" if difference is None else change(difference),
        "" if difference is None else MARKS[difference.verdict],
    ]


def costs_table(comparison: Comparison) -> Table:
    """Build the table of mean relative gains and costs, one row per variant."""
    table = _table("all tasks: mean relative gain and cost")
    table.add_column("variant", no_wrap=True)
    for column in ("mean relative gain", "parameters", "training", "inference"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in comparison.variants:
        trained = one.kind != "majority"
        table.add_row(
            one.name,
            "" if one.delta_m is None else percent(one.delta_m),
            f"{one.parameters:,}" if trained else "",
            f"{one.train_s:.1f} s" if trained else "",
            f"{one.inference_ms:.3f} ms" if trained else "",
        )
    return table


def by_task(comparison: Comparison) -> Iterator[tuple[str, list[tuple[VariantSummary, Estimate]]]]:
    """Yield each task, and `overall` if that score exists, with each variant and its score."""
    for task in comparison.tasks:
        yield task, [(variant, variant.tasks[task]) for variant in comparison.variants]
    overall = [(variant, variant.overall) for variant in comparison.variants if variant.overall is not None]
    if overall:
        yield OVERALL, overall


def csv_text(comparison: Comparison) -> str:
    """Return a CSV table with one line per task and variant."""
    text = io.StringIO()
    columns = ["task", "metric", "n", "variant", "kind", "mean", "low", "high"]
    columns += ["difference", "difference_low", "difference_high", "verdict"]
    seeds = [f"seed_{seed}" for seed in comparison.seeds]
    writer = csv.DictWriter(text, [*columns, *seeds], restval="", lineterminator="\n")
    writer.writeheader()
    for task, variants in by_task(comparison):
        measured = comparison.tasks.get(task)
        for variant, estimate in variants:
            row = {
                "task": task,
                "metric": measured.metric if measured else "",
                "n": measured.n if measured else "",
                "variant": variant.name,
                "kind": variant.kind,
                "mean": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                **dict(zip(seeds, estimate.seeds, strict=True)),
            }
            if variant.against_single is not None:
                one = variant.against_single[task]
                row |= {"difference": one.mean, "difference_low": one.low, "difference_high": one.high}
                row["verdict"] = one.verdict
            writer.writerow(row)
    return text.getvalue()


def title(comparison: Comparison) -> str:
    """Return a one-line title: the experiment, the examples, the seeds and the folds."""
    parts = [f"{comparison.examples:,} {comparison.part} examples"]
    if comparison.variants[0].kind != "run":
        parts.append(f"{len(comparison.seeds)} seed{'s' if len(comparison.seeds) > 1 else ''}")
    if comparison.folds:
        parts.append(f"{comparison.folds} folds")
    return f"{comparison.experiment}: {', '.join(parts)}"


def _title(comparison: Comparison, task: str) -> str:
    measured = comparison.tasks.get(task)
    return task if measured is None else f"{task} ({measured.metric.replace('_', ' ')}, n={measured.n:,})"


def _table(text: str, header: bool = True) -> Table:
    return Table(
        title=f"\n{text}",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=header,
        header_style="dim",
        pad_edge=False,
        padding=(0, 1),
    )
