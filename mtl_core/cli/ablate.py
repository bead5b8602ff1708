"""`mtl ablate`."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory, find_free_path
from mtl_core.cli.comparison_output import write_and_print
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import check_inputs
from mtl_core.experiments.ablate import TrialScore, compare_trials, plan_trials, run_trials
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.experiments.trials import Trial, reserve_trials_folder

PLAN = "ablation.plan.json"


def ablate_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    n_seeds: int,
    n_folds: int | None,
    jobs: int,
    margin_texts: Sequence[str],
) -> None:
    """Train with and without auxiliary tasks, and print the differences."""
    margins = parse_margins(margin_texts)
    source = ExperimentFile(experiment, list(plugins))
    loaded = source.load(overrides)
    check_inputs(loaded)
    ablation_dir = (
        output_dir if output_dir is not None else find_free_path(Path("runs"), f"{loaded.config.name}-ablation")
    )
    trials = plan_trials(loaded, overrides, n_seeds, n_folds, ablation_dir)
    reserve_trials_folder(ablation_dir / PLAN, loaded.config, trials, "ablation")
    console = Console(stderr=True)

    def on_trial_end(trial: Trial, score: TrialScore) -> None:
        fold = "" if trial.fold is None else f", fold {trial.fold}"
        console.print(
            f"{trial.variant}, seed {trial.seed}{fold}: {score.score:.4f} in {score.train_s:.1f} s",
            highlight=False,
            markup=False,
        )

    with lock_folder(ablation_dir):
        run_trials(source, trials, jobs, on_trial_end)
    write_and_print(compare_trials(loaded.config, plugins, trials, margins, ablation_dir), ablation_dir)
    for note in _find_warnings(trials[-1]):
        typer.echo(f"note: {note}; they add words and steps, which may explain a difference")


def _find_warnings(trial: Trial) -> list[str]:
    """Return the warnings about examples that only a run with auxiliary tasks visits."""
    metrics = read_json(RunDirectory(trial.run_dir).metrics)
    return [warning for warning in metrics["data"]["warnings"] if "auxiliary tasks train on them" in warning]
