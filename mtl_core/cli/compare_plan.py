"""`mtl compare --plan`."""

from collections.abc import Sequence
from dataclasses import replace
from math import isinf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtl_core.artifacts.comparison import COMPARISON_FILE, Comparison
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import check_inputs
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection
from mtl_core.reporting.formatting import format_metric
from mtl_core.statistics.multiple_testing import CORRECTION_NAMES

if TYPE_CHECKING:
    from mtl_core.experiments.compare.power_plan import PlannedSeeds, PowerPlan


def compare_plan_command(
    targets: Sequence[str],
    overrides: Sequence[str],
    plugins: Sequence[str],
    n_folds: int | None,
    extra_variants: Sequence[str],
    jobs: int | None,
    pilot_dir: Path | None,
    seed_std: float | None,
    example_std: float | None,
    selection: SingleTaskSelection,
) -> None:
    """Print which differences more seeds would resolve, how many trainings that is, and how long."""
    if len(targets) > 1:
        raise MtlError("--plan: plans the comparison of one experiment, not of runs")
    from mtl_core.experiments.compare.plan import build_plan
    from mtl_core.experiments.compare.power_plan import plan_from_pilot, plan_from_variances
    from mtl_core.experiments.process_pool import get_default_jobs

    source = ExperimentFile(targets[0], list(plugins))
    loaded = source.load(overrides)
    check_inputs(loaded)
    plan = build_plan(source, overrides, loaded, 1, n_folds, extra_variants, Path(), selection)
    n_jobs = jobs or get_default_jobs()
    if pilot_dir is not None and seed_std is None and example_std is None:
        comparison = _read_pilot(pilot_dir, loaded.config.name)
        pilot_selection = replace(selection, entries=list(comparison.tasks), n_sampled=None)
        pilot = build_plan(
            source, overrides, loaded, len(comparison.seeds), comparison.folds, [], pilot_dir, pilot_selection
        )
        power_plan = plan_from_pilot(plan, pilot, n_jobs)
    elif pilot_dir is None and seed_std is not None and example_std is not None:
        power_plan = plan_from_variances(plan, seed_std, example_std)
    else:
        raise MtlError(
            "--plan: needs either --pilot COMPARISON, such as the folder of `mtl compare … --seeds 2`, or both "
            "--seed-std and --example-std"
        )
    console = Console()
    console.print(_build_table(power_plan, loaded.config.name))
    for sentence in _describe(power_plan, n_jobs):
        typer.echo(sentence)


def _read_pilot(pilot_dir: Path, experiment: str) -> Comparison:
    path = pilot_dir / COMPARISON_FILE
    if not path.is_file():
        raise MtlError(f"{pilot_dir}: no finished comparison: it contains no {COMPARISON_FILE}")
    comparison = Comparison.read(path)
    if comparison.experiment != experiment or comparison.variants[0].kind == "run":
        raise MtlError(f"{pilot_dir}: a comparison of '{comparison.experiment}', not of the experiment '{experiment}'")
    return comparison


def _build_table(plan: "PowerPlan", experiment: str) -> Table:
    title = Text(f"{experiment}: smallest difference that is resolved", no_wrap=True)
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("seeds", justify="right")
    table.add_column("trainings", justify="right")
    if plan.rows[0].hours is not None:
        table.add_column("time", justify="right")
    tasks = [task for task in plan.rows[0].differences if task != OVERALL]
    for name in ("median task", "worst task") if len(tasks) > 10 else tasks:
        table.add_column(name, justify="right")
    if OVERALL in plan.rows[0].differences:
        table.add_column(OVERALL, justify="right")
    for row in plan.rows:
        table.add_row(*_format_row(row, tasks))
    return table


def _format_row(row: "PlannedSeeds", tasks: Sequence[str]) -> list[str]:
    cells = [str(row.n_seeds), f"{row.n_trainings:,}"]
    if row.hours is not None:
        cells.append(f"{row.hours:.1f} h" if row.hours >= 1 else f"{60 * row.hours:.1f} min")
    of_tasks = [row.differences[task] for task in tasks]
    cells_of_tasks = [median(of_tasks), max(of_tasks)] if len(tasks) > 10 else of_tasks
    if OVERALL in row.differences:
        cells_of_tasks = [*cells_of_tasks, row.differences[OVERALL]]
    return cells + ["none" if isinf(value) else format_metric(value) for value in cells_of_tasks]


def _describe(plan: "PowerPlan", n_jobs: int) -> list[str]:
    correction = CORRECTION_NAMES[plan.correction]
    sentences = [
        "A real difference between multi-task and single-task learning of this size gets a verdict with a probability "
        f"of 80 %. For tasks, it has to be significant as the first of {plan.n_tests} differences ({correction})."
    ]
    if plan.n_pilot_seeds is None:
        sentences.append("Variances are as stated, and the same for all tasks.")
    else:
        trust = "a rough guess that may be wrong by a factor of three" if plan.n_pilot_seeds < 4 else "an estimate"
        sentences.append(
            f"Variances are those of {plan.n_pilot_seeds} pilot seeds, which is {trust}; times are those of the "
            f"pilot's trainings with {n_jobs} in parallel."
        )
    return sentences
