"""Print the result of a run."""

from collections.abc import Mapping

from rich.console import Console

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import AuxiliaryCost
from mtl_core.cli.score_table import print_mixed_scores, print_scores
from mtl_core.cli.task_summary_table import (
    MAX_METRICS,
    N_VALIDATION_METRICS,
    print_ranked_tasks,
    print_score_summary,
)
from mtl_core.evaluation.interaction_suggestions import build_sentences
from mtl_core.evaluation.scores import Scores
from mtl_core.progress.bars import print_plain
from mtl_core.runs.run_report import RunReport


def print_run(console: Console, name: str, report: RunReport) -> None:
    """Print the warnings about the data, the table of each split, and the run directory."""
    prepared = report.data
    if prepared.corpus.disclaimer:
        console.print(prepared.corpus.disclaimer, style="bold yellow", highlight=False)
    for warning in prepared.warnings:
        print_plain(console, f"note: {warning}")
    split = prepared.split
    auxiliary_note = f" (and {len(split.auxiliary_only)} for auxiliary tasks only)" if len(split.auxiliary_only) else ""
    n_visited = len(split.select_labelled(split.train))
    counts = (
        f"{n_visited} training{auxiliary_note}, {len(split.validation)} validation, {len(split.test)} test examples"
    )
    largest_imbalance = split.largest_imbalance
    if largest_imbalance is not None:
        counts += (
            f"; the share of {largest_imbalance.task}={largest_imbalance.label} differs most between training and "
            f"validation, by {largest_imbalance.points:.2f} points"
        )
    print_plain(console, counts)
    _print_splits(console, name, report.scores)
    _print_auxiliary(console, name, report)
    if report.warm_start is not None:
        print_plain(console, f"\n{report.warm_start.format_summary()}")
    if report.interactions is not None:
        console.print()
        for sentence in build_sentences(report.interactions):
            print_plain(console, sentence)
    timing = report.timing
    processes = f"by {report.n_processes} processes " if report.n_processes > 1 else ""
    print_plain(
        console,
        f"\nbest epoch {report.best_epoch}; trained in {timing.train_s:.1f} s {processes}"
        f"({timing.train_examples_per_s:.0f} examples per second)\nrun directory: {report.path}",
    )


def _print_splits(console: Console, name: str, scores: Mapping[str, Scores]) -> None:
    """Print the table of each split; for many tasks its summary, and the best and the worst tasks of the last one."""
    split_names = [split_name for split_name in ("validation", "test") if split_name in scores]
    for split_name in split_names:
        console.print()
        if not has_many_tasks(len(scores[split_name].tasks)):
            print_scores(console, scores[split_name], f"{name}: {split_name}")
            continue
        is_last = split_name == split_names[-1]
        n_metrics = MAX_METRICS if is_last else N_VALIDATION_METRICS
        print_score_summary(console, scores[split_name], f"{name}: {split_name}", n_metrics)
        if is_last:
            print_ranked_tasks(console, scores[split_name])


def _print_auxiliary(console: Console, name: str, report: RunReport) -> None:
    """Print the scores and costs of auxiliary tasks; the tables of the main tasks exclude them."""
    split_name = next((split_name for split_name in ("validation", "test") if split_name in report.scores), None)
    if split_name is not None and report.scores[split_name].auxiliary:
        console.print()
        print_mixed_scores(console, report.scores[split_name].auxiliary, f"{name}: auxiliary tasks, {split_name}")
    for cost in report.costs:
        print_plain(console, _format_cost(cost))
    if report.costs:
        print_plain(console, "to test whether they help: `mtl ablate` trains with and without each of them")


def _format_cost(cost: AuxiliaryCost) -> str:
    extra_ms = cost.step_ms - cost.without_ms
    share = 100 * extra_ms / cost.without_ms if cost.without_ms else 0.0
    time_text = f"{extra_ms:+.1f} ms per step ({round(share):+d} % of {cost.without_ms:.1f} ms)"
    return (
        f"auxiliary task {cost.name}: weight {cost.weight:g}, {cost.parameters:,} parameters, "
        f"{time_text if cost.measurable else 'no measurable time'}"
    )
