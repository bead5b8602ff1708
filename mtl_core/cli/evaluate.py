"""`mtl evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mtl_core.errors import MtlError
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision


def evaluate_command(
    path: Path,
    data: Path | None,
    data_set: str | None,
    as_json: bool,
    precision: Precision,
    plugins: Sequence[str],
) -> None:
    """Evaluate a run and print the table."""
    if data_set is not None and data is None:
        raise MtlError("--data-set selects the data set of the --data file; give --data FILE too")
    from mtl_core.artifacts.json_files import dump_json
    from mtl_core.artifacts.many_tasks import has_many_tasks
    from mtl_core.cli.score_table import print_scores
    from mtl_core.cli.task_summary_table import print_ranked_tasks, print_score_summary
    from mtl_core.runs.evaluate import evaluate_file, evaluate_test_split
    from mtl_core.runs.precision import convert_precision
    from mtl_core.runs.result_files import build_scores_report
    from mtl_core.runs.saved_run import load_run

    saved_run = convert_precision(load_run(path, plugins), precision)
    evaluation = evaluate_file(saved_run, data, data_set) if data is not None else evaluate_test_split(saved_run)
    if as_json:
        report = {"examples": evaluation.n_examples, "disclaimer": evaluation.corpus.disclaimer}
        typer.echo(dump_json({**report, **build_scores_report(evaluation.scores)}), nl=False)
        return
    console = Console()
    if evaluation.corpus.disclaimer:
        console.print(evaluation.corpus.disclaimer, style="bold yellow", highlight=False)
    for warning in evaluation.corpus.warnings:
        print_plain(console, f"note: {warning}")
    title = f"{saved_run.config.name}: {data or 'test'}, {evaluation.n_examples} examples"
    if has_many_tasks(len(evaluation.scores.tasks)):
        print_score_summary(console, evaluation.scores, title)
        print_ranked_tasks(console, evaluation.scores)
    else:
        print_scores(console, evaluation.scores, title)
