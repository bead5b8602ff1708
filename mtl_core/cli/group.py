"""`mtl group`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mtl_core.artifacts.groups import GROUPS_FILE
from mtl_core.artifacts.run_directory import find_free_path
from mtl_core.cli.console import handle_interrupt
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import check_inputs
from mtl_core.errors import MtlError, join_names
from mtl_core.experiments.compare.margins import parse_margins
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.artifacts.groups import GroupChoice
    from mtl_core.experiments.group.run_group import Division

DEFAULT_SEEDS = 3
"""Default number of seeds."""
MAX_APART_TASKS = 10
"""Maximum number of tasks for which one network per task is trained without `--apart`."""
MAX_LISTED_NETWORKS = 10
"""Maximum number of listed networks."""
MAX_NAMES_PER_NETWORK = 8
"""Maximum number of names of tasks per network."""


def group_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    max_networks: int,
    n_seeds: int | None,
    affinity_epochs: int | None,
    affinity_only: bool,
    apart: bool | None,
    batched: bool | None,
    jobs: int | None,
    margin_texts: Sequence[str],
) -> None:
    """Measure affinities, divide the tasks, train the networks and print the verdict."""
    if affinity_only:
        options = {
            "--seeds": n_seeds,
            "--apart": apart,
            **_list_network_options(batched),
            "--jobs": jobs,
            "--margin": margin_texts,
        }
        unused = [option for option, value in options.items() if value]
        if unused:
            raise MtlError(f"{join_names(unused)}: with --affinity-only, no network of the division is trained")
    margins = parse_margins(margin_texts)
    source = ExperimentFile(experiment, list(plugins))
    loaded = source.load(overrides)
    check_inputs(loaded)
    group_dir = output_dir if output_dir is not None else find_free_path(Path("runs"), f"{loaded.config.name}-groups")

    from mtl_core.experiments.compare.network_batches import plan_networks
    from mtl_core.experiments.group.run_group import load_grouped_tasks, measure_and_divide, train_and_compare
    from mtl_core.experiments.process_pool import get_default_jobs

    errors, console = Console(stderr=True), Console()
    tasks = load_grouped_tasks(loaded, max_networks, trains_networks=not affinity_only)
    trains_apart = _trains_apart(apart, batched, len(tasks.names)) and not affinity_only
    apart_networks = plan_networks(source, overrides, loaded, tasks.names, batched) if trains_apart else None
    resume_hint = f"finished trainings stay: the same command with `--out {group_dir}` continues"
    with handle_interrupt(lambda: resume_hint):
        division = measure_and_divide(
            source, overrides, loaded, tasks, max_networks, affinity_epochs, group_dir, errors
        )
        for sentence in describe_division(division):
            print_plain(console, sentence)
        if affinity_only or (len(division.files) == 1 and not trains_apart):
            typer.echo(f"{group_dir}: {GROUPS_FILE} and one experiment file per network written")
            if not affinity_only:
                typer.echo(
                    "nothing is trained: the division is one network for all tasks (--apart trains one per task)"
                )
            return
        proven = train_and_compare(
            source,
            overrides,
            loaded,
            division,
            n_seeds or DEFAULT_SEEDS,
            apart_networks,
            margins,
            jobs or get_default_jobs(),
            group_dir,
            errors,
        )
    assert proven.groups.choice is not None  # noqa: S101  it was trained
    for sentence in describe_choice(proven.groups.choice, proven.comparison.split_name):
        print_plain(console, sentence)
    typer.echo(f"{group_dir}: {GROUPS_FILE} and comparison.json written; those on validation data in validation/")

    from mtl_core.reporting.write import write_report

    typer.echo(f"report: {write_report(group_dir)[0]}")


def _list_network_options(batched: bool | None) -> dict[str, bool]:
    """Return whether each option that decides how single-task networks are trained was used."""
    return {"--batched": batched is True, "--separate": batched is False}


def _trains_apart(apart: bool | None, batched: bool | None, n_tasks: int) -> bool:
    """Return whether one network per task is trained.

    Raises:
        MtlError: If none is, but an option decides how.
    """
    trains_apart = apart if apart is not None else n_tasks <= MAX_APART_TASKS
    for option, is_used in _list_network_options(batched).items():
        if is_used and not trains_apart:
            raise MtlError(f"{option}: one network per task is not trained; expected --apart with it")
    return trains_apart


def describe_division(division: "Division") -> Iterator[str]:
    """Describe the division in at most as many lines as networks are listed."""
    groups = division.groups
    location = "the features that heads read" if groups.gradients == "features" else "the shared parameters"
    yield (
        f"affinities of {len(division.tasks)} tasks: gradients at {location}, {groups.steps} steps in "
        f"{groups.epochs} epoch{'' if groups.epochs == 1 else 's'}"
        + (f"; {groups.undefined_pairs:,} pairs of tasks have no common examples" if groups.undefined_pairs else "")
    )
    for file in division.files[:MAX_LISTED_NETWORKS]:
        yield f"{file.path.stem}: {join_names(file.tasks, MAX_NAMES_PER_NETWORK)} (mtl run {file.path})"
    if len(division.files) > MAX_LISTED_NETWORKS:
        yield f"and {len(division.files) - MAX_LISTED_NETWORKS} more networks"
    proof = "the optimum" if groups.gap < 5e-4 else f"at most {100 * groups.gap:.1f} % below the optimum"
    yield (
        f"affinity within networks: {groups.objective:.3g}, {proof} for at most {groups.max_networks} networks; one "
        f"network for all tasks: {groups.together_objective:.3g}"
    )


def describe_choice(choice: "GroupChoice", split_name: str) -> Iterator[str]:
    """Describe the verdicts on validation data, the choice, and the verdicts on test data."""
    yield from choice.validation
    yield f"chosen on validation data: {choice.variant}"
    if choice.test:
        yield from choice.test
    else:
        yield f"There is no test split: scores of {split_name} data, on which the choice was made, are optimistic."
