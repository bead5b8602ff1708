"""`mtl ablate`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from mtl_core.atomic import write_text_atomically
from mtl_core.comparison.trials import Trial, claim, held
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.runs.ablation import Outcome, VariantSummary, plan, run_trials, summarise
from mtl_core.runs.directory import RunDirectory, next_free

PLAN, RESULT = "ablation.plan.json", "ablation.json"


def ablate_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    out: Path | None,
    seeds: int,
    folds: int | None,
    jobs: int,
) -> None:
    """Train with and without auxiliary tasks, and print the differences."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    path = out if out is not None else next_free(Path("runs"), f"{loaded.config.name}-ablation")
    trials = plan(loaded, overrides, seeds, folds, path)
    claim(path, PLAN, loaded.config, trials, "ablation")
    console = Console(stderr=True)

    def tell(trial: Trial, outcome: Outcome) -> None:
        fold = "" if trial.fold is None else f", fold {trial.fold}"
        console.print(
            f"{trial.variant}, seed {trial.seed}{fold}: {outcome.score:.4f} in {outcome.train_s:.1f} s",
            highlight=False,
            markup=False,
        )

    with held(path):
        summaries = summarise(trials, run_trials(experiment, plugins, trials, jobs, tell))
    write_text_atomically(path / RESULT, json.dumps([asdict(one) for one in summaries], indent=2) + "\n")
    Console().print(_table(loaded.config.name, summaries, seeds, folds))
    for note in _notes(trials[-1]):
        typer.echo(f"note: {note}; they add words and steps, which may explain a difference")
    typer.echo(f"{path / RESULT}: written; runs next to it")


def _notes(trial: Trial) -> list[str]:
    """Return the warnings about examples that only a run with auxiliary tasks visits."""
    metrics = json.loads(RunDirectory(trial.path).metrics.read_text(encoding="utf-8"))
    return [note for note in metrics["data"]["findings"] if "auxiliary tasks train on them" in note]


def _table(name: str, summaries: Sequence[VariantSummary], seeds: int, folds: int | None) -> Table:
    over = f"{seeds} seed{'s' if seeds > 1 else ''}" + (f", {folds} folds" if folds else "")
    table = Table(
        title=f"{name}: validation, {over}",
        title_justify="left",
        caption="± is the standard deviation over seeds; a difference within it may be due to chance"
        if seeds > 1
        else None,
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("auxiliary tasks", no_wrap=True)
    for column in ("score", "against none", "training"):
        table.add_column(column, justify="right", no_wrap=True)
    base = summaries[0].train_s
    for one in summaries:
        against = "-" if one is summaries[0] else _with_spread(f"{one.difference:+.4f}", one.difference_spread)
        slower = "" if one is summaries[0] else f" ({one.train_s / base:.2f} x)"
        table.add_row(
            one.variant, _with_spread(f"{one.mean:.4f}", one.spread), against, f"{one.train_s:.1f} s{slower}"
        )
    return table


def _with_spread(value: str, spread: float | None) -> str:
    return value if spread is None else f"{value} ± {spread:.4f}"
