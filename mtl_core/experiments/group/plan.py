"""The trainings that prove a division: one network for all tasks, one per group, and optionally one per task."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment
from mtl_core.data.experiment_data import ExperimentData
from mtl_core.data.prepare import split_data
from mtl_core.data.stage_timer import StageTimer
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.network_batches import NetworkBatches
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.single_task_experiments import SingleTaskExperiments
from mtl_core.experiments.compare.variants import TrainingSpec, Variant, build_batched_specs
from mtl_core.experiments.group.overrides import build_group_overrides
from mtl_core.experiments.trials import Trial, get_run_dir

TOGETHER, GROUPED, APART = "together", "grouped", "apart"
TEST_DIR = "test"
"""The folder with the outputs of all trainings for the test split."""


class _SpecBuilder:
    """Builds the trainings of networks; variants with equal networks share them.

    Args:
        source: The experiment.
        overrides: Overrides of all trainings.
        base: The validated experiment with these overrides.
        tasks: The names of the active tasks.
    """

    def __init__(
        self, source: ExperimentSource, overrides: Sequence[str], base: Experiment, tasks: Sequence[str]
    ) -> None:
        self._source, self._overrides, self._base, self._tasks = source, overrides, base, tasks
        self._single_tasks = SingleTaskExperiments(source, overrides, base)
        self._specs: dict[tuple[str, ...], TrainingSpec] = {}

    def build(self, name: str, group: Sequence[str]) -> TrainingSpec:
        """Build the training of one network for a group of tasks, or return that of an equal network."""
        key = tuple(group)
        if key not in self._specs:
            self._specs[key] = self._build_single(name, *group) if len(group) == 1 else self._build_group(name, group)
        return self._specs[key]

    def _build_single(self, name: str, task: str) -> TrainingSpec:
        overrides, experiment = self._single_tasks.load(task)
        return TrainingSpec(name, overrides, experiment, task)

    def _build_group(self, name: str, group: Sequence[str]) -> TrainingSpec:
        overrides = build_group_overrides(self._base.config, group, self._tasks)
        return TrainingSpec(name, overrides, self._source.load([*self._overrides, *overrides]))

    def build_apart(self, networks: NetworkBatches) -> list[TrainingSpec]:
        """Build the trainings of one network per task: of batches of them, and of single networks."""
        batches = build_batched_specs(self._source, self._overrides, self._base, networks, APART)
        numbers = {task: number for number, task in enumerate(self._tasks, start=1)}
        return [*batches, *(self.build(f"task-{numbers[task]}", [task]) for task in networks.separate)]


def build_group_plan(
    source: ExperimentSource,
    overrides: Sequence[str],
    base: Experiment,
    tasks: Sequence[str],
    groups: Sequence[Sequence[str]],
    n_seeds: int,
    apart: NetworkBatches | None,
    output_dir: Path,
) -> Plan:
    """Build the plan of the trainings.

    Args:
        source: The experiment.
        overrides: Overrides of all trainings.
        base: The validated experiment with these overrides.
        tasks: The names of the active tasks.
        groups: The task names of each network of the division.
        n_seeds: Number of seeds, counted up from the experiment's seed.
        apart: How one network per task is trained; None to train none.
        output_dir: The output directory.

    Raises:
        MtlError: If the overrides of a network are invalid.
    """
    builder = _SpecBuilder(source, overrides, base, tasks)
    together = builder.build(TOGETHER, tasks)
    variants = [Variant(TOGETHER, "multi-task", together.overrides, [together])]
    if len(groups) > 1:
        group_specs = [builder.build(f"group-{number}", group) for number, group in enumerate(groups, start=1)]
        variants.append(Variant(GROUPED, "variant", ["active_tasks=[…]"], group_specs))
    if apart is not None:
        variants.append(Variant(APART, "single-task", ["active_tasks=[TASK]"], builder.build_apart(apart)))
    specs = {spec.name: spec for variant in variants for spec in variant.training_specs}
    seeds = range(base.config.seed, base.config.seed + n_seeds)
    trials = [
        Trial(
            spec.name,
            seed,
            None,
            [*overrides, *spec.overrides, f"seed={seed}"],
            get_run_dir(output_dir, spec.name, seed, None),
            spec.independent,
        )
        for spec in sorted(specs.values(), key=lambda spec: _rank_cost(spec, len(tasks)))
        for seed in seeds
    ]
    return Plan(base, list(tasks), variants, seeds, None, trials, output_dir, apart)


def _rank_cost(spec: TrainingSpec, n_all_tasks: int) -> tuple[int, int]:
    """Return a key that sorts trainings by their cost, the longest first: by their networks, then by their tasks."""
    active_tasks = spec.experiment.config.active_tasks
    n_tasks = n_all_tasks if active_tasks is None else len(active_tasks)
    return (-n_tasks if spec.independent else -1, -n_tasks)


def build_test_plan(plan: Plan) -> Plan:
    """Return the plan whose run directories contain the outputs for the test split."""
    output_dir = plan.output_dir / TEST_DIR
    trials = [replace(trial, run_dir=output_dir / trial.run_dir.name) for trial in plan.trials]
    return replace(plan, output_dir=output_dir, trials=trials)


def check_has_validation(base: Experiment, data: ExperimentData) -> None:
    """Check that an experiment has validation data.

    Args:
        base: The experiment.
        data: Its data.

    Raises:
        MtlError: If it has none.
    """
    if not len(split_data(base.config, data, StageTimer()).split.validation):
        raise MtlError(
            f"{base.config.name}: there is no validation data, on which `mtl group` chooses between one network and "
            "several; add a validation split (--set split.validation=0.2), or stop after the division (--affinity-only)"
        )
