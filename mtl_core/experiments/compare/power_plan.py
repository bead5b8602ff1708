"""Plan a comparison: which differences a number of seeds resolves, how many trainings that is, and how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean

from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.data.experiment_data import compute_label_mask, load_experiment_data
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.compare_runs import read_variants
from mtl_core.experiments.compare.compared_scores import ComparedScores
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.variant_scores import resolve_metrics
from mtl_core.experiments.compare.variants import MULTI_TASK, SINGLE_TASK
from mtl_core.statistics.multiple_testing import Correction, choose_correction
from mtl_core.statistics.power import VarianceComponents, compute_resolvable_difference, estimate_components
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL

SEED_COUNTS = (2, 3, 5, 10, 20)
"""The numbers of seeds that a plan lists."""


@dataclass(frozen=True)
class PlannedSeeds:
    """What a number of seeds resolves and costs.

    Attributes:
        n_seeds: Number of seeds.
        n_trainings: Number of trainings, including finished ones.
        hours: Time of all trainings in hours; None if it is unknown.
        differences: Task, or `overall`, to the smallest difference that is resolved with a probability of 80 %.
    """

    n_seeds: int
    n_trainings: int
    hours: float | None
    differences: Mapping[str, float]


@dataclass(frozen=True)
class PowerPlan:
    """The plan of a comparison.

    Attributes:
        rows: One row per number of seeds.
        n_tests: Number of task differences that are tested together.
        correction: The correction for their number.
        n_pilot_seeds: Number of seeds of the pilot; None for stated variances.
    """

    rows: Sequence[PlannedSeeds]
    n_tests: int
    correction: Correction
    n_pilot_seeds: int | None


def plan_from_pilot(plan: Plan, pilot: Plan, n_jobs: int) -> PowerPlan:
    """Plan with the variances and times of a finished comparison.

    Args:
        plan: The plan of the comparison, for the number of trainings.
        pilot: The plan of the finished comparison.
        n_jobs: Number of trainings in parallel.

    Raises:
        MtlError: If the pilot has fewer than two seeds, or a run is missing or damaged.
    """
    if len(pilot.seeds) < 2:
        raise MtlError(f"{pilot.output_dir}: has one seed; a pilot needs two or more, to show how seeds vary")
    entries, runs = read_variants(pilot, [MULTI_TASK, SINGLE_TASK])
    outputs = [entry.outputs for entry in entries]
    tasks = [labelled.task for labelled in outputs[0].outputs[0][0].values()]
    metrics, aggregation = resolve_metrics(pilot.experiment.config.training.select, tasks)
    examples = list(dict.fromkeys(example_id for run in runs.values() for example_id in run.ids.tolist()))
    differences = ComparedScores(outputs, metrics, aggregation, examples, 0).subtract_scores(MULTI_TASK, SINGLE_TASK)
    components = {
        task: one for task, difference in differences.items() if (one := estimate_components(difference)) is not None
    }
    seconds = mean(_read_seconds(RunDirectory(path)) for path in runs)
    return _build_plan(plan, components, seconds / 3600 / n_jobs, len(pilot.seeds))


def plan_from_variances(plan: Plan, seed_std: float, example_std: float) -> PowerPlan:
    """Plan with stated variances, which are the same for all tasks.

    Args:
        plan: The plan of the comparison.
        seed_std: Standard deviation of a difference over seeds.
        example_std: Standard deviation over examples of the difference of an example's score.

    Raises:
        MtlError: If the number of test examples is not known before training.
    """
    data = load_experiment_data(plan.experiment.config)
    rows = data.corpus.get_row_indices("train" if plan.n_folds else "test")
    if not len(rows):
        raise MtlError(
            "--seed-std: the data has no test split of its own, so the number of test examples is not known before "
            "training; use --folds, or a --pilot"
        )
    components = {}
    for task in data.tasks:
        if task.name not in plan.tasks:
            continue
        n_examples = int(compute_label_mask([task], data.labels, len(data.corpus))[rows].sum())
        if n_examples > 1:
            variance = example_std**2 / n_examples
            components[task.name] = VarianceComponents(seed_std**2, variance, 0.0, 1 / n_examples, n_examples - 1)
    return _build_plan(plan, components, None, None)


def _build_plan(
    plan: Plan, components: Mapping[str, VarianceComponents], hours: float | None, n_pilot_seeds: int | None
) -> PowerPlan:
    alpha = 1 - CONFIDENCE_LEVEL
    n_tests = count_task_differences(plan)
    rows = []
    for n_seeds in SEED_COUNTS:
        n_trainings = len(plan.trials) // len(plan.seeds) * n_seeds
        differences = {
            task: compute_resolvable_difference(one, n_seeds, alpha if task == OVERALL else alpha / n_tests)
            for task, one in components.items()
        }
        rows.append(PlannedSeeds(n_seeds, n_trainings, None if hours is None else hours * n_trainings, differences))
    return PowerPlan(rows, n_tests, choose_correction(n_tests), n_pilot_seeds)


def count_task_differences(plan: Plan) -> int:
    """Return the number of task differences of a comparison: those from single-task, and those from equal weights."""
    kinds = [variant.kind for variant in plan.variants]
    n_contrasts = sum(kind in {"multi-task", "equal", "variant"} for kind in kinds)
    n_contrasts += sum(kind in {"multi-task", "variant"} for kind in kinds) - ("equal" not in kinds)
    return n_contrasts * len(plan.tasks)


def _read_seconds(run: RunDirectory) -> float:
    """Return the time of a run in seconds, without imports and files."""
    timing = read_json(run.metrics)["timing"]
    return float(ceil(sum(timing[key] for key in ("load_s", "encode_s", "train_s", "evaluate_s"))))
