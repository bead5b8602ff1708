"""The steps of `mtl group`: measure and divide, then train and compare."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.groups import GROUPS_FILE, GROUPS_PLAN_FILE, GroupChoice, TaskGroups
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment
from mtl_core.config.task_resolution import select_active_tasks
from mtl_core.data.experiment_data import load_experiment_data
from mtl_core.errors import MtlError
from mtl_core.evaluation.task_grouping import check_network_count
from mtl_core.experiments.compare.network_batches import NetworkBatches
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.plan_text import describe_plan
from mtl_core.experiments.compare.result_files import write_comparison
from mtl_core.experiments.group.affinity import build_affinity_trial, read_affinities
from mtl_core.experiments.group.divide import divide_tasks
from mtl_core.experiments.group.network_files import NetworkFile, write_network_files
from mtl_core.experiments.group.plan import build_group_plan, build_test_plan, check_has_validation
from mtl_core.experiments.group.test_outputs import write_test_outputs
from mtl_core.experiments.group.verdict import choose_variant, compare_group_plan, describe_verdicts
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.experiments.trials import Trial, reserve_trials_folder, train_trials
from mtl_core.progress.bars import build_progress, print_plain

VALIDATION_DIR = "validation"
"""The folder of the comparison on validation data."""
MAX_LISTED_TRIALS = 20
"""Maximum number of trainings for one line per training."""
FEWER_NETWORKS = "--no-apart trains none of them"
"""How to train fewer single-task networks."""


@dataclass(frozen=True)
class GroupedTasks:
    """The tasks that are divided into networks.

    Attributes:
        names: The names of the active tasks.
        n_examples: Number of training examples, including those of the validation split.
    """

    names: Sequence[str]
    n_examples: int


def load_grouped_tasks(base: Experiment, max_networks: int, trains_networks: bool) -> GroupedTasks:
    """Load the data of an experiment, and check that its tasks can be divided.

    Args:
        base: The validated experiment.
        max_networks: Maximum number of networks.
        trains_networks: Whether the networks are trained after the division, which needs validation data.

    Raises:
        MtlError: If there is one task only, there are more networks than tasks, or validation data is missing.
    """
    data = load_experiment_data(base.config)
    names = [task.name for task in select_active_tasks(data.tasks, base.config.active_tasks)]
    if len(names) < 2:
        raise MtlError(f"{base.config.name}: has only one active task ('{names[0]}'); groups need two or more")
    check_network_count(max_networks, len(names), "--networks")
    if trains_networks:
        check_has_validation(base, data)
    return GroupedTasks(names, len(data.corpus.get_row_indices("train")))


@dataclass(frozen=True)
class Division:
    """A division of tasks, and the measurement that it is based on.

    Attributes:
        groups: The division, as in `groups.json`.
        tasks: The names of the active tasks.
        files: One experiment file per network.
        trial: The measurement.
    """

    groups: TaskGroups
    tasks: Sequence[str]
    files: Sequence[NetworkFile]
    trial: Trial


def measure_and_divide(
    source: ExperimentSource,
    overrides: Sequence[str],
    base: Experiment,
    tasks: GroupedTasks,
    max_networks: int,
    affinity_epochs: int | None,
    output_dir: Path,
    console: Console,
) -> Division:
    """Measure the affinities of tasks, divide the tasks, and write `groups.json` and one experiment file per network.

    Args:
        source: The experiment.
        overrides: Overrides of all trainings.
        base: The validated experiment with these overrides.
        tasks: Its tasks.
        max_networks: Maximum number of networks.
        affinity_epochs: Number of measured epochs; None for a fifth of the experiment's, or more.
        output_dir: The output directory, new or to resume.
        console: The console of progress messages.

    Raises:
        MtlError: If the training fails.
    """
    names = tasks.names
    trial = build_affinity_trial(base.config, tasks.n_examples, affinity_epochs, output_dir)
    epochs = source.load([*overrides, *trial.overrides]).config.training.epochs
    trial = replace(trial, overrides=[*overrides, *trial.overrides])
    reserve_trials_folder(output_dir / GROUPS_PLAN_FILE, base.config, [trial], "grouping")
    with lock_folder(output_dir):
        print_plain(
            console,
            f"affinities of {len(names)} tasks: training of {epochs} epoch{'' if epochs == 1 else 's'} (the experiment "
            f"has {base.config.training.epochs})",
        )
        train_trials(source, [trial], 1, lambda _: None, evaluate_test=False)
        interactions = read_affinities(trial)
        groups = divide_tasks(base.config, names, interactions, max_networks, epochs)
        shutil.copyfile(RunDirectory(trial.run_dir).interactions, RunDirectory(output_dir).interactions)
        groups.write(output_dir / GROUPS_FILE)
        files = write_network_files(source, overrides, names, groups.networks, output_dir)
    return Division(groups, names, files, trial)


@dataclass(frozen=True)
class ProvenDivision:
    """A division that was tested by training.

    Attributes:
        groups: The division, with the choice on validation data.
        comparison: The comparison on test data; on validation data without a test split.
    """

    groups: TaskGroups
    comparison: Comparison


def train_and_compare(
    source: ExperimentSource,
    overrides: Sequence[str],
    base: Experiment,
    division: Division,
    n_seeds: int,
    apart: NetworkBatches | None,
    margins: Mapping[str, float],
    jobs: int,
    output_dir: Path,
    console: Console,
) -> ProvenDivision:
    """Train one network for all tasks, one per group, and optionally one per task; compare them.

    All choices are made on validation data. The test split is evaluated after them, once.

    Args:
        source: The experiment.
        overrides: Overrides of all trainings.
        base: The validated experiment with these overrides.
        division: The division.
        n_seeds: Number of seeds.
        apart: How one network per task is trained; None to train none.
        margins: Task to the largest difference that makes no practical difference.
        jobs: Maximum number of processes.
        output_dir: The output directory.
        console: The console of the progress bar.

    Raises:
        MtlError: If a training fails; finished trainings are kept.
    """
    groups = division.groups.networks
    plan = build_group_plan(source, overrides, base, division.tasks, groups, n_seeds, apart, output_dir)
    for sentence in describe_plan(plan, jobs, FEWER_NETWORKS):
        print_plain(console, f"plan: {sentence}")
    reserve_trials_folder(output_dir / GROUPS_PLAN_FILE, base.config, [division.trial, *plan.trials], "grouping")
    with lock_folder(output_dir):
        _train_plan(source, plan, jobs, console)
        validation = compare_group_plan(plan, margins)
        write_comparison(validation, output_dir / VALIDATION_DIR)
        test = _compare_on_test(plan, margins, console)
        comparison = test if test is not None else validation
        write_comparison(comparison, output_dir)
        choice = GroupChoice(
            choose_variant(validation),
            describe_verdicts(validation),
            describe_verdicts(test) if test is not None else [],
        )
        proven_groups = replace(division.groups, choice=choice)
        proven_groups.write(output_dir / GROUPS_FILE)
    return ProvenDivision(proven_groups, comparison)


def _train_plan(source: ExperimentSource, plan: Plan, jobs: int, console: Console) -> None:
    """Train the trials of a plan that are not complete yet, without a look at the test split."""
    with build_progress(console, "trainings") as progress:
        bar = progress.add_task("", total=len(plan.trials), status="")

        def on_trial_end(trial: Trial) -> None:
            progress.update(bar, advance=1)
            if len(plan.trials) <= MAX_LISTED_TRIALS:
                print_plain(console, f"{trial.run_dir.name}: trained")

        train_trials(source, plan.trials, jobs, on_trial_end, evaluate_test=False)


def _compare_on_test(plan: Plan, margins: Mapping[str, float], console: Console) -> Comparison | None:
    """Evaluate all trainings on test data, and compare them; None without a test split."""
    test_plan = build_test_plan(plan)
    print_plain(console, "evaluating the test split")
    for trial, test_trial in zip(plan.trials, test_plan.trials, strict=True):
        if not write_test_outputs(trial, test_trial.run_dir):
            return None
    return compare_group_plan(test_plan, margins)
