"""Compare finished runs: those of a plan, or any run directories."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.errors import MtlError, join_names
from mtl_core.experiments.compare.comparability import check_same_labels, check_same_provenance
from mtl_core.experiments.compare.compared_scores import VariantOutputs
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.run_outputs import RunOutputs, ScoredOutputs, read_run
from mtl_core.experiments.compare.summary_text import collect_disclaimers, summarize
from mtl_core.experiments.compare.variant_scores import VariantRuns, compare_variants
from mtl_core.experiments.compare.variants import EQUAL, MAJORITY, MULTI_TASK, SINGLE_TASK, Variant


def compare_plan(plan: Plan, margins: Mapping[str, float]) -> Comparison:
    """Compare the finished trials of a plan.

    Args:
        plan: The plan.
        margins: Task to the largest difference that makes no practical difference, see `parse_margins`.

    Raises:
        MtlError: If a run is missing or damaged, or runs cannot be compared.
    """
    entries, runs_by_path = read_variants(plan, [variant.name for variant in plan.variants if variant.training_specs])
    provenance_notes = check_same_provenance(list(runs_by_path))
    multi_task = next(entry for entry in entries if entry.outputs.name == MULTI_TASK)
    for entry in entries:
        for multi_task_folds, variant_folds in zip(multi_task.outputs.outputs, entry.outputs.outputs, strict=True):
            for multi_task_outputs, variant_outputs in zip(multi_task_folds, variant_folds, strict=True):
                check_same_labels(multi_task_outputs, variant_outputs, (MULTI_TASK, entry.outputs.name))
    majority = _build_majority(multi_task.outputs)
    if majority is not None:
        entries.append(VariantRuns(majority, [], []))
    config = plan.experiment.config
    equal_weights = EQUAL if any(entry.outputs.name == EQUAL for entry in entries) else MULTI_TASK
    comparison = compare_variants(
        entries, config.training.select, margins, config.seed, SINGLE_TASK, equal_weights, plan.output_dir
    )
    comparison = replace(comparison, experiment=config.name, seeds=list(plan.seeds), folds=plan.n_folds)
    summary = summarize(comparison, collect_disclaimers(runs_by_path.values()))
    if comparison.split_name == "validation":
        summary.append("A test split or --folds gives unbiased scores.")
    return replace(comparison, summary=[*summary, *provenance_notes])


def compare_runs(paths: Sequence[Path], plugins: Sequence[str], margins: Mapping[str, float]) -> Comparison:
    """Compare finished runs; the first is the reference.

    Args:
        paths: The run directories.
        plugins: Additional plugins.
        margins: Task to the largest difference that makes no practical difference, see `parse_margins`.

    Raises:
        MtlError: If a run is missing or damaged, or runs differ in data, version, tasks, examples or labels.
    """
    names = [path.name for path in paths]
    names = [path.name if names.count(path.name) == 1 else str(path) for path in paths]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise MtlError(f"{duplicate}: given twice; a run cannot be compared with itself")
    experiments = [RunDirectory.open(path).load_experiment(plugins) for path in paths]
    provenance_notes = check_same_provenance(paths)
    runs = [read_run(path, experiment) for path, experiment in zip(paths, experiments, strict=True)]
    for name, run in zip(names, runs, strict=True):
        if set(run.tasks) != set(runs[0].tasks):
            raise MtlError(
                f"{name}: has the tasks {join_names(run.tasks)}, but {names[0]} has {join_names(runs[0].tasks)}; "
                "only runs with the same tasks can be compared"
            )
        if run.split_name != runs[0].split_name:
            raise MtlError(f"{name}: was scored on {run.split_name} data, but {names[0]} on {runs[0].split_name} data")
        check_same_labels(runs[0].tasks, run.tasks, (names[0], name))
    entries = [
        VariantRuns(VariantOutputs(name, "run", [[run.tasks]]), [], [[run]])
        for name, run in zip(names, runs, strict=True)
    ]
    config = experiments[0].config
    comparison = compare_variants(entries, config.training.select, margins, config.seed, names[0], None, None)
    comparison = replace(comparison, experiment=config.name, seeds=[runs[0].seed])
    summary = summarize(comparison, collect_disclaimers(runs))
    return replace(comparison, summary=[*summary, *provenance_notes])


def read_variants(plan: Plan, names: Sequence[str]) -> tuple[list[VariantRuns], dict[Path, RunOutputs]]:
    """Read the runs of some variants of a plan.

    Returns:
        The variants with their runs, and run directory to outputs.

    Raises:
        MtlError: If a run is missing or damaged.
    """
    runs_by_path: dict[Path, RunOutputs] = {}
    entries = [_read_variant_runs(plan, one, runs_by_path) for one in plan.variants if one.name in names]
    return entries, runs_by_path


def _read_variant_runs(plan: Plan, variant: Variant, runs_by_path: dict[Path, RunOutputs]) -> VariantRuns:
    """Read the runs of a variant."""
    outputs: list[list[Mapping[str, ScoredOutputs]]] = []
    repetitions: list[list[RunOutputs]] = []
    for seed in plan.seeds:
        outputs.append([])
        for fold in plan.folds:
            repetition = []
            for training_spec in variant.training_specs:
                path = plan.get_run_dir(training_spec, seed, fold)
                if path not in runs_by_path:
                    runs_by_path[path] = read_run(path, training_spec.experiment)
                repetition.append(runs_by_path[path])
            repetitions.append(repetition)
            outputs[-1].append(
                {task: run.tasks[task] for task in plan.tasks for run in repetition if task in run.tasks}
            )
    return VariantRuns(VariantOutputs(variant.name, variant.kind, outputs), variant.overrides, repetitions)


def _build_majority(multi_task: VariantOutputs) -> VariantOutputs | None:
    """Return the baselines' predictions for the same labels; None if a task has no baseline."""
    outputs: list[list[Mapping[str, ScoredOutputs]]] = []
    for folds in multi_task.outputs:
        outputs.append([])
        for fold in folds:
            baselines = {
                task: baseline
                for task, labelled_outputs in fold.items()
                if (baseline := labelled_outputs.predict_baseline()) is not None
            }
            if len(baselines) < len(fold):
                return None
            outputs[-1].append(baselines)
    return VariantOutputs(MAJORITY, "majority", outputs)
