"""Plan the trials of a comparison: variants by seeds by folds, without duplicates, the longest first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment, dump_config
from mtl_core.config.task_resolution import select_active_tasks
from mtl_core.data.experiment_data import ExperimentData, compute_label_mask, load_experiment_data
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.network_batches import NetworkBatches, plan_networks
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection
from mtl_core.experiments.compare.variants import TrainingSpec, Variant, VariantBuilder
from mtl_core.experiments.trials import Trial, build_fold_overrides, get_run_dir, list_folds


@dataclass(frozen=True)
class Plan:
    """The plan of a comparison.

    Attributes:
        experiment: The validated experiment.
        tasks: Names of the compared tasks: those with a single-task network.
        variants: The variants.
        seeds: The seeds.
        n_folds: Number of folds of the cross-validation; None for the experiment's own split.
        trials: All trials, the longest first.
        output_dir: The output directory.
        networks: How the single-task networks are trained; None for plans without such a choice.
    """

    experiment: Experiment
    tasks: Sequence[str]
    variants: Sequence[Variant]
    seeds: Sequence[int]
    n_folds: int | None
    trials: Sequence[Trial]
    output_dir: Path
    networks: NetworkBatches | None = None

    @property
    def folds(self) -> Sequence[int | None]:
        """The indices of the folds; a single None without cross-validation."""
        return list_folds(self.n_folds)

    def get_run_dir(self, training_spec: TrainingSpec, seed: int, fold: int | None) -> Path:
        """Return the run directory of a trial."""
        return get_run_dir(self.output_dir, training_spec.name, seed, fold)


def build_plan(
    source: ExperimentSource,
    overrides: Sequence[str],
    base: Experiment,
    n_seeds: int,
    n_folds: int | None,
    extra_variants: Sequence[str],
    output_dir: Path,
    selection: SingleTaskSelection | None = None,
) -> Plan:
    """Build the plan of a comparison. This reads the data, for the tasks and the cost of each trial.

    Args:
        source: The experiment.
        overrides: Overrides of all variants.
        base: The validated experiment with these overrides.
        n_seeds: Number of seeds, counted up from the experiment's seed.
        n_folds: Number of folds of the cross-validation; None for the experiment's own split.
        extra_variants: Additional variants, as `KEY=V1,V2`.
        output_dir: The output directory.
        selection: Which tasks get a single-task network, and how these are trained; None for all tasks.

    Raises:
        MtlError: If there is only one task, a variant is invalid, or no task is selected.
    """
    selection = selection or SingleTaskSelection()
    data = load_experiment_data(base.config)
    tasks = select_active_tasks(data.tasks, base.config.active_tasks)
    task_names = [task.name for task in tasks]
    if len(task_names) < 2:
        raise MtlError(
            f"{base.config.name}: has only one active task ('{task_names[0]}'); a comparison of multi-task "
            "learning needs two or more"
        )
    if n_folds is not None:
        source.load([*overrides, *build_fold_overrides(base.config.split, n_folds, 0, "test")])
    compared_names = selection.select(task_names, base.config.seed)
    networks = plan_networks(source, overrides, base, compared_names, selection.batched)
    variants = _share_networks(VariantBuilder(source, overrides, base).build_all(networks, extra_variants))
    seed_values = range(base.config.seed, base.config.seed + n_seeds)
    training_specs = {
        training_spec.name: training_spec for variant in variants for training_spec in variant.training_specs
    }
    sorted_specs = sorted(training_specs.values(), key=lambda training_spec: -_estimate_visits(training_spec, data))
    trials = [
        Trial(
            training_spec.name,
            seed,
            fold,
            [
                *overrides,
                *training_spec.overrides,
                f"seed={seed}",
                *build_fold_overrides(base.config.split, n_folds, fold, "test"),
            ],
            get_run_dir(output_dir, training_spec.name, seed, fold),
            training_spec.independent,
        )
        for training_spec in sorted_specs
        for seed in seed_values
        for fold in list_folds(n_folds)
    ]
    return Plan(base, compared_names, variants, seed_values, n_folds, trials, output_dir, networks)


def _estimate_visits(training_spec: TrainingSpec, data: ExperimentData) -> int:
    """Estimate how many examples a trial visits."""
    config = training_spec.experiment.config
    active_tasks = select_active_tasks(data.tasks, config.active_tasks)
    rows = data.corpus.get_row_indices("train")
    n_visited = int(compute_label_mask(active_tasks, data.labels, len(data.corpus))[rows].sum())
    n_networks = len(active_tasks) if training_spec.independent else 1
    return n_visited * n_networks * config.training.epochs


def _share_networks(variants: Sequence[Variant]) -> list[Variant]:
    """Let variants with equal resolved experiments share their networks, and give each network a directory name."""
    specs_by_config: dict[tuple[str, bool], TrainingSpec] = {}
    used_names: set[str] = set()
    shared_variants = []
    for variant in variants:
        training_specs = []
        for training_spec in variant.training_specs:
            resolved_config = (dump_config(training_spec.experiment.config), training_spec.independent)
            if resolved_config not in specs_by_config:
                name = _make_directory_name(training_spec.name, used_names)
                used_names.add(name)
                specs_by_config[resolved_config] = replace(training_spec, name=name)
            training_specs.append(specs_by_config[resolved_config])
        shared_variants.append(Variant(variant.name, variant.kind, variant.overrides, training_specs))
    return shared_variants


def _make_directory_name(name: str, used_names: set[str]) -> str:
    """Return a unique directory name that is valid on every operating system."""
    base_name = re.sub(r"[^\w.=-]+", "-", name).strip("-.")[:80] or "variant"
    suffix, candidate = 2, base_name
    while candidate.lower() in {used_name.lower() for used_name in used_names}:
        candidate, suffix = f"{base_name}-{suffix}", suffix + 1
    return candidate
