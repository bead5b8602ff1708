"""`mtl compare`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console

from mtl_core.artifacts.comparison import COMPARISON_FILE, PLAN_FILE
from mtl_core.artifacts.network_files import open_network_run
from mtl_core.artifacts.run_directory import find_free_path
from mtl_core.cli.comparison_output import write_and_print
from mtl_core.cli.console import handle_interrupt
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import check_inputs, is_packaged_experiment
from mtl_core.errors import MtlError, join_names
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection

DEFAULT_SEEDS = 5
"""Default number of seeds."""


def compare_command(
    targets: Sequence[str],
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    n_seeds: int | None,
    n_folds: int | None,
    extra_variants: Sequence[str],
    jobs: int | None,
    margin_texts: Sequence[str],
    selection: SingleTaskSelection,
) -> None:
    """Compare variants of an experiment, or finished runs."""
    margins = parse_margins(margin_texts)
    paths = [Path(target) for target in targets]
    is_shadowed = len(paths) == 1 and paths[0].is_dir() and is_packaged_experiment(targets[0], plugins)
    if is_shadowed:
        typer.echo(
            f"note: {targets[0]}: the packaged experiment is used, not the folder of this name, "
            f"which would be ./{targets[0]}",
            err=True,
        )
    elif all(path.is_dir() for path in paths):
        experiment_options = {
            "--set": overrides,
            "--seeds": n_seeds,
            "--folds": n_folds,
            "--variant": extra_variants,
            "--jobs": jobs,
            "--single": selection.entries,
            "--single-sample": selection.n_sampled,
            "--batched": selection.batched is True,
            "--separate": selection.batched is False,
        }
        _compare_runs(paths, plugins, output_dir, experiment_options, margins)
        return
    if len(targets) > 1:
        missing_target = next(target for target in targets if not Path(target).is_dir())
        raise MtlError(f"{missing_target}: no such run directory; compare one experiment, or two or more runs")
    _compare_experiment(
        targets[0],
        overrides,
        plugins,
        output_dir,
        n_seeds or DEFAULT_SEEDS,
        n_folds,
        extra_variants,
        jobs,
        margins,
        selection,
    )


def _compare_runs(
    paths: Sequence[Path],
    plugins: Sequence[str],
    output_dir: Path | None,
    experiment_options: Mapping[str, object],
    margins: Mapping[str, float],
) -> None:
    invalid_options = [option for option, value in experiment_options.items() if value]
    if invalid_options:
        raise MtlError(
            f"{join_names(invalid_options)}: finished runs are compared as they are; this is for experiments"
        )
    for path in paths:
        open_network_run(path)
    if len(paths) == 1:
        raise MtlError(f"{paths[0]}: one run alone cannot be compared; name two or more, the reference first")
    comparison_dir = output_dir if output_dir is not None else find_free_path(Path("runs"), "comparison")
    if (comparison_dir / COMPARISON_FILE).exists() or (comparison_dir.exists() and not comparison_dir.is_dir()):
        raise MtlError(f"{comparison_dir}: exists already; choose another --out")

    from mtl_core.experiments.compare.compare_runs import compare_runs

    write_and_print(compare_runs(paths, plugins, margins), comparison_dir)


def _compare_experiment(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    n_seeds: int,
    n_folds: int | None,
    extra_variants: Sequence[str],
    jobs: int | None,
    margins: Mapping[str, float],
    selection: SingleTaskSelection,
) -> None:
    from mtl_core.experiments.compare.plan import build_plan
    from mtl_core.experiments.compare.plan_text import describe_plan
    from mtl_core.experiments.compare.train_plan import train_plan
    from mtl_core.experiments.output_dir import lock_folder
    from mtl_core.experiments.process_pool import get_default_jobs
    from mtl_core.experiments.trials import reserve_trials_folder

    source = ExperimentFile(experiment, list(plugins))
    loaded = source.load(overrides)
    check_inputs(loaded)
    comparison_dir = (
        output_dir if output_dir is not None else find_free_path(Path("runs"), f"{loaded.config.name}-comparison")
    )
    plan = build_plan(source, overrides, loaded, n_seeds, n_folds, extra_variants, comparison_dir, selection)
    n_jobs = jobs or get_default_jobs()
    for sentence in describe_plan(plan, n_jobs):
        typer.echo(f"plan: {sentence}", err=True)
    reserve_trials_folder(comparison_dir / PLAN_FILE, loaded.config, plan.trials, "comparison")
    resume_hint = f"finished runs stay: the same command with `--out {comparison_dir}` continues"
    with handle_interrupt(lambda: resume_hint), lock_folder(comparison_dir):
        train_plan(source, plan, n_jobs, Console(stderr=True))

    from mtl_core.experiments.compare.compare_runs import compare_plan

    write_and_print(compare_plan(plan, margins), comparison_dir)
