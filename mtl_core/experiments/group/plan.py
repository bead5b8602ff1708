"""The trainings that prove a division: one network for all tasks, one per group, and optionally one per task."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.variants import TrainingSpec, Variant
from mtl_core.experiments.group.overrides import build_group_overrides
from mtl_core.experiments.trials import Trial, get_run_dir

TOGETHER, GROUPED, APART = "together", "grouped", "apart"
TEST_DIR = "test"
"""The folder with the outputs of all trainings for the test split."""


def build_group_plan(
    source: ExperimentSource,
    overrides: Sequence[str],
    base: Experiment,
    tasks: Sequence[str],
    networks: Sequence[Sequence[str]],
    n_seeds: int,
    trains_apart: bool,
    output_dir: Path,
) -> Plan:
    """Build the plan of the trainings.

    Args:
        source: The experiment.
        overrides: Overrides of all trainings.
        base: The validated experiment with these overrides.
        tasks: The names of the active tasks.
        networks: The task names of each network.
        n_seeds: Number of seeds, counted up from the experiment's seed.
        trains_apart: Whether to train one network per task, too.
        output_dir: The output directory.

    Raises:
        MtlError: If the overrides of a network are invalid.
    """
    specs: dict[tuple[str, ...], TrainingSpec] = {}

    def build_spec(name: str, group: Sequence[str]) -> TrainingSpec:
        key = tuple(group)
        if key not in specs:
            spec_overrides = build_group_overrides(base.config, group, tasks)
            experiment = source.load([*overrides, *spec_overrides])
            specs[key] = TrainingSpec(name, spec_overrides, experiment, group[0] if len(group) == 1 else None)
        return specs[key]

    together = build_spec(TOGETHER, tasks)
    variants = [Variant(TOGETHER, "multi-task", together.overrides, [together])]
    if len(networks) > 1:
        groups = [build_spec(f"group-{number}", group) for number, group in enumerate(networks, start=1)]
        variants.append(Variant(GROUPED, "variant", ["active_tasks=[…]"], groups))
    if trains_apart:
        single_tasks = [build_spec(f"task-{number}", [task]) for number, task in enumerate(tasks, start=1)]
        variants.append(Variant(APART, "single-task", ["active_tasks=[TASK]"], single_tasks))
    seeds = range(base.config.seed, base.config.seed + n_seeds)
    longest_first = sorted(specs.items(), key=lambda item: -len(item[0]))
    trials = [
        Trial(
            spec.name,
            seed,
            None,
            [*overrides, *spec.overrides, f"seed={seed}"],
            get_run_dir(output_dir, spec.name, seed, None),
        )
        for _, spec in longest_first
        for seed in seeds
    ]
    return Plan(base, list(tasks), variants, seeds, None, trials, output_dir)


def build_test_plan(plan: Plan) -> Plan:
    """Return the plan whose run directories contain the outputs for the test split."""
    output_dir = plan.output_dir / TEST_DIR
    trials = [replace(trial, run_dir=output_dir / trial.run_dir.name) for trial in plan.trials]
    return replace(plan, output_dir=output_dir, trials=trials)


def check_has_validation(n_validation: int, experiment: str) -> None:
    """Check that the data has a validation split.

    Raises:
        MtlError: If it has none.
    """
    if not n_validation:
        raise MtlError(
            f"{experiment}: there is no validation data, on which `mtl group` chooses between one network and several; "
            "add a validation split (--set split.validation=0.2), or stop after the division (--affinity-only)"
        )
