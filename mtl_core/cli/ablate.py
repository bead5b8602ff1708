"""`mtl ablate`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from mtl_core.artifacts.run_directory import RunDirectory, find_free_path
from mtl_core.atomic import write_text_atomically
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.experiments.ablate import TrialResult, VariantSummary, plan_trials, run_trials, summarize_trials
from mtl_core.experiments.trials import Trial, lock_folder, reserve_folder

PLAN, RESULT = "ablation.plan.json", "ablation.json"


def ablate_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    n_seeds: int,
    n_folds: int | None,
    jobs: int,
) -> None:
    """Train with and without auxiliary tasks, and print the differences."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    ablation_dir = (
        output_dir if output_dir is not None else find_free_path(Path("runs"), f"{loaded.config.name}-ablation")
    )
    trials = plan_trials(loaded, overrides, n_seeds, n_folds, ablation_dir)
    reserve_folder(ablation_dir, PLAN, loaded.config, trials, "ablation")
    console = Console(stderr=True)

    def on_trial_end(trial: Trial, outcome: TrialResult) -> None:
        fold = "" if trial.fold is None else f", fold {trial.fold}"
        console.print(
            f"{trial.variant}, seed {trial.seed}{fold}: {outcome.score:.4f} in {outcome.train_s:.1f} s",
            highlight=False,
            markup=False,
        )

    with lock_folder(ablation_dir):
        summaries = summarize_trials(trials, run_trials(experiment, plugins, trials, jobs, on_trial_end))
    write_text_atomically(ablation_dir / RESULT, json.dumps([asdict(one) for one in summaries], indent=2) + "\n")
    Console().print(_build_table(loaded.config.name, summaries, n_seeds, n_folds))
    for note in _find_warnings(trials[-1]):
        typer.echo(f"note: {note}; they add words and steps, which may explain a difference")
    typer.echo(f"{ablation_dir / RESULT}: written; runs next to it")


def _find_warnings(trial: Trial) -> list[str]:
    """Return the warnings about examples that only a run with auxiliary tasks visits."""
    metrics = json.loads(RunDirectory(trial.run_dir).metrics.read_text(encoding="utf-8"))
    return [warning for warning in metrics["data"]["warnings"] if "auxiliary tasks train on them" in warning]


def _build_table(name: str, summaries: Sequence[VariantSummary], n_seeds: int, n_folds: int | None) -> Table:
    repetitions = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}" + (f", {n_folds} folds" if n_folds else "")
    table = Table(
        title=f"{name}: validation, {repetitions}",
        title_justify="left",
        caption="± is the standard deviation over seeds; a difference within it may be due to chance"
        if n_seeds > 1
        else None,
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("auxiliary tasks", no_wrap=True)
    for column in ("score", "against none", "training"):
        table.add_column(column, justify="right", no_wrap=True)
    base = summaries[0].train_s
    for summary in summaries:
        difference = (
            "-" if summary is summaries[0] else _format_spread(f"{summary.difference:+.4f}", summary.difference_std)
        )
        slowdown = "" if summary is summaries[0] else f" ({summary.train_s / base:.2f} x)"
        table.add_row(
            summary.variant,
            _format_spread(f"{summary.mean:.4f}", summary.std),
            difference,
            f"{summary.train_s:.1f} s{slowdown}",
        )
    return table


def _format_spread(value: str, spread: float | None) -> str:
    return value if spread is None else f"{value} ± {spread:.4f}"
