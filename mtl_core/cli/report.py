"""What the terminal shows of a run."""

from rich.console import Console

from mtl_core.evaluation.table import score_table
from mtl_core.runs.run import RunReport


def print_report(console: Console, name: str, report: RunReport) -> None:
    """Print what was found in the data, the table of each part, and where everything is."""
    prepared = report.prepared
    if prepared.corpus.notice:
        console.print(prepared.corpus.notice, style="bold yellow", highlight=False)
    for finding in prepared.findings:
        console.print(f"note: {finding}", highlight=False, markup=False, soft_wrap=True)
    split = prepared.split
    counts = f"{len(split.train)} training, {len(split.validation)} validation, {len(split.test)} test examples"
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
    timing = report.timing
    console.print(
        f"\nbest epoch {report.best_epoch}; trained in {timing.train_s:.1f} s "
        f"({timing.train_examples_per_s:.0f} examples a second)\nrun directory: {report.path}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
