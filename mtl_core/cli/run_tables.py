"""Print the result of a run."""

from rich.console import Console

from mtl_core.evaluation.table import auxiliary_table, score_table
from mtl_core.interactions.suggestions import sentences
from mtl_core.runs.cost import AuxiliaryCost
from mtl_core.runs.run import RunReport


def print_run(console: Console, name: str, report: RunReport) -> None:
    """Print the warnings about the data, the table of each split, and the run directory."""
    prepared = report.prepared
    if prepared.corpus.notice:
        console.print(prepared.corpus.notice, style="bold yellow", highlight=False)
    for finding in prepared.findings:
        console.print(f"note: {finding}", highlight=False, markup=False, soft_wrap=True)
    split = prepared.split
    helping = f" (and {len(split.helping)} for auxiliary tasks only)" if len(split.helping) else ""
    visited = len(split.speaking(split.train))
    counts = f"{visited} training{helping}, {len(split.validation)} validation, {len(split.test)} test examples"
    worst = split.worst
    if worst is not None:
        counts += (
            f"; the share of {worst.task}={worst.label} differs most between training and validation, "
            f"by {worst.points:.2f} points"
        )
    console.print(counts, highlight=False, markup=False, soft_wrap=True)
    for part in ("validation", "test"):
        if part in report.scores:
            console.print()
            console.print(score_table(report.scores[part], f"{name}: {part}"))
    _print_auxiliary(console, name, report)
    if report.started is not None:
        console.print(f"\n{report.started.sentence()}", highlight=False, markup=False, soft_wrap=True)
    if report.interactions is not None:
        console.print()
        for sentence in sentences(report.interactions):
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    timing = report.timing
    console.print(
        f"\nbest epoch {report.best_epoch}; trained in {timing.train_s:.1f} s "
        f"({timing.train_examples_per_s:.0f} examples per second)\nrun directory: {report.path}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _print_auxiliary(console: Console, name: str, report: RunReport) -> None:
    """Print the scores and costs of auxiliary tasks; the tables of the main tasks exclude them."""
    part = next((part for part in ("validation", "test") if part in report.scores), None)
    if part is not None and report.scores[part].auxiliary:
        console.print()
        console.print(auxiliary_table(report.scores[part].auxiliary, f"{name}: auxiliary tasks, {part}"))
    for cost in report.costs:
        console.print(_cost_line(cost), highlight=False, markup=False, soft_wrap=True)
    if report.costs:
        console.print(
            "to test whether they help: `mtl ablate` trains with and without each of them",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _cost_line(cost: AuxiliaryCost) -> str:
    more = cost.step_ms - cost.without_ms
    share = 100 * more / cost.without_ms if cost.without_ms else 0.0
    time = f"{more:+.1f} ms per step ({round(share):+d} % of {cost.without_ms:.1f} ms)"
    return (
        f"auxiliary task {cost.name}: weight {cost.weight:g}, {cost.parameters:,} parameters, "
        f"{time if cost.measurable else 'no measurable time'}"
    )
