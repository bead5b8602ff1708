"""`mtl compare`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mtl_core.atomic import write_text_atomically
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.errors import MtlError, listed
from mtl_core.runs.directory import RunDirectory, next_free

if TYPE_CHECKING:
    from mtl_core.comparison.plan import Plan
    from mtl_core.comparison.summary import Comparison
    from mtl_core.comparison.trials import Trial

PLAN, RESULT, CSV, LATEX = "comparison.plan.json", "comparison.json", "comparison.csv", "comparison.tex"
SEEDS = 5
"""Default number of seeds."""


def compare_command(
    targets: Sequence[str],
    overrides: Sequence[str],
    plugins: Sequence[str],
    out: Path | None,
    seeds: int | None,
    folds: int | None,
    others: Sequence[str],
    jobs: int | None,
    resamples: int,
) -> None:
    """Compare variants of an experiment, or finished runs."""
    paths = [Path(target) for target in targets]
    if all(path.is_dir() for path in paths):
        given = {"--set": overrides, "--seeds": seeds, "--folds": folds, "--with": others, "--jobs": jobs}
        _compare_runs(paths, plugins, out, given, resamples)
        return
    if len(targets) > 1:
        strange = next(target for target in targets if not Path(target).is_dir())
        raise MtlError(f"{strange}: no such run directory; compare one experiment, or two or more runs")
    _compare_experiment(targets[0], overrides, plugins, out, seeds or SEEDS, folds, others, jobs, resamples)


def _compare_runs(
    paths: Sequence[Path], plugins: Sequence[str], out: Path | None, given: Mapping[str, object], resamples: int
) -> None:
    useless = [option for option, value in given.items() if value]
    if useless:
        raise MtlError(f"{listed(useless)}: finished runs are compared as they are; this is for experiments")
    for path in paths:
        RunDirectory.open(path)
    if len(paths) == 1:
        raise MtlError(f"{paths[0]}: one run alone cannot be compared; name two or more, the reference first")
    folder = out if out is not None else next_free(Path("runs"), "comparison")
    if (folder / RESULT).exists() or (folder.exists() and not folder.is_dir()):
        raise MtlError(f"{folder}: exists already; choose another --out")

    from mtl_core.comparison.compare import compare_runs

    _tell(compare_runs(paths, plugins, resamples), folder)


def _compare_experiment(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    out: Path | None,
    seeds: int,
    folds: int | None,
    others: Sequence[str],
    jobs: int | None,
    resamples: int,
) -> None:
    from mtl_core.comparison.plan import make_plan
    from mtl_core.comparison.trials import claim, held

    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    folder = out if out is not None else next_free(Path("runs"), f"{loaded.config.name}-comparison")
    plan = make_plan(experiment, overrides, plugins, loaded, seeds, folds, others, folder)
    claim(folder, PLAN, loaded.config, plan.trials, "comparison")
    try:
        with held(folder):
            _train(experiment, plugins, plan, jobs or default_jobs(), Console(stderr=True))
    except KeyboardInterrupt:
        typer.echo(f"interrupted; finished runs stay: the same command with `--out {folder}` continues", err=True)
        raise typer.Exit(130) from None

    from mtl_core.comparison.compare import compare_plan

    _tell(compare_plan(plan, resamples), folder)


def _train(experiment: str, plugins: Sequence[str], plan: "Plan", jobs: int, console: Console) -> None:
    from mtl_core.comparison.trials import check_scored, train_all

    progress = Progress(
        TextColumn("trainings"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with progress:
        bar = progress.add_task("", total=len(plan.trials))

        def tell(trial: "Trial") -> None:
            check_scored(trial.path)
            progress.update(bar, advance=1)
            console.print(f"{trial.path.name}: trained", highlight=False, markup=False, soft_wrap=True)
            if progress.tasks[0].remaining == jobs - 1:  # one process is idle, so its core is free
                import mtl_core.comparison.compare  # noqa: F401

        train_all(experiment, plugins, plan.trials, jobs, tell)


def default_jobs() -> int:
    """Return the default number of jobs: the number of CPU cores, or 1 with a GPU, which all jobs would share."""
    import torch

    if torch.cuda.is_available():
        return 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tell(comparison: "Comparison", folder: Path) -> None:
    """Print the tables and the summary, write the result files, and render the report.

    Raises:
        MtlError: If a file cannot be written. Files that were written before are kept.
    """
    from mtl_core.comparison.latex import latex_text
    from mtl_core.comparison.tables import costs_table, csv_text, figure_tables, title
    from mtl_core.report.write import write_report

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MtlError(f"{folder}: cannot be created: {error.strerror}") from error
    comparison.write(folder / RESULT)
    write_text_atomically(folder / CSV, csv_text(comparison))
    write_text_atomically(folder / LATEX, latex_text(comparison))
    console = Console()
    console.print(title(comparison), style="bold", highlight=False, markup=False)
    for table in figure_tables(comparison):
        console.print(table)
    console.print(costs_table(comparison))
    for sentence in comparison.words:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    typer.echo(f"{folder}: {RESULT}, {CSV} and {LATEX} written")
    typer.echo(f"report: {write_report(folder)[0]}; its figures as PDF and SVG next to it")
