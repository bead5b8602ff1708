"""Compare finished runs: those of a plan, or any run directories."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import Selection
from mtl_core.data.task_groups import FittedTask
from mtl_core.errors import MtlError, join_names
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.experiments.compare.bootstrap import CONFIDENCE_LEVEL
from mtl_core.experiments.compare.paired_bootstrap import Aggregation, PairedBootstrap, VariantOutputs
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.results import (
    OVERALL,
    Comparison,
    Kind,
    MeasuredTask,
    VariantSummary,
)
from mtl_core.experiments.compare.run_outputs import LabelledOutputs, RunOutputs, check_same_labels, read_run
from mtl_core.experiments.compare.summary_text import summarize
from mtl_core.experiments.compare.variants import EQUAL, MAJORITY, MULTI_TASK, SINGLE_TASK, Variant
from mtl_core.plugins.specs import MetricSpec


@dataclass(frozen=True)
class _VariantRuns:
    """A variant with its runs.

    Attributes:
        outputs: The outputs of its networks.
        overrides: Its overrides.
        repetitions: Its runs, per seed and fold: one run for all tasks, or one run per task.
    """

    outputs: VariantOutputs
    overrides: Sequence[str]
    repetitions: Sequence[Sequence[RunOutputs]]


def compare_plan(plan: Plan, resamples: int) -> Comparison:
    """Compare the finished trials of a plan.

    Raises:
        MtlError: If a run is missing or damaged, or runs cannot be compared.
    """
    runs_by_path: dict[Path, RunOutputs] = {}
    entries = [
        _read_variant_runs(plan, variant, runs_by_path) for variant in plan.variants if variant.training_specs
    ]
    multi_task = next(entry for entry in entries if entry.outputs.name == MULTI_TASK)
    for entry in entries:
        for multi_task_folds, variant_folds in zip(multi_task.outputs.outputs, entry.outputs.outputs, strict=True):
            for multi_task_outputs, variant_outputs in zip(multi_task_folds, variant_folds, strict=True):
                check_same_labels(multi_task_outputs, variant_outputs, (MULTI_TASK, entry.outputs.name))
    majority = _build_majority(multi_task.outputs)
    if majority is not None:
        entries.append(_VariantRuns(majority, [], []))
    config = plan.experiment.config
    equal_weights = EQUAL if any(entry.outputs.name == EQUAL for entry in entries) else MULTI_TASK
    comparison = _compare_variants(
        entries, config.training.select, resamples, config.seed, SINGLE_TASK, equal_weights, plan.output_dir
    )
    comparison = replace(comparison, experiment=config.name, seeds=list(plan.seeds), folds=plan.n_folds)
    return replace(comparison, summary=summarize(comparison, _collect_disclaimers(runs_by_path.values())))


def compare_runs(paths: Sequence[Path], plugins: Sequence[str], resamples: int) -> Comparison:
    """Compare finished runs; the first is the reference.

    Raises:
        MtlError: If a run is missing or damaged, or runs differ in tasks, examples or labels.
    """
    names = [path.name for path in paths]
    names = [path.name if names.count(path.name) == 1 else str(path) for path in paths]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise MtlError(f"{duplicate}: given twice; a run cannot be compared with itself")
    experiments = [RunDirectory.open(path).load_experiment(plugins) for path in paths]
    runs = [read_run(path, experiment) for path, experiment in zip(paths, experiments, strict=True)]
    for name, run in zip(names, runs, strict=True):
        if set(run.tasks) != set(runs[0].tasks):
            raise MtlError(
                f"{name}: has the tasks {join_names(run.tasks)}, but {names[0]} has {join_names(runs[0].tasks)}; "
                "only runs with the same tasks can be compared"
            )
        if run.split_name != runs[0].split_name:
            raise MtlError(
                f"{name}: was scored on {run.split_name} data, but {names[0]} on {runs[0].split_name} data"
            )
        check_same_labels(runs[0].tasks, run.tasks, (names[0], name))
    entries = [
        _VariantRuns(VariantOutputs(name, "run", [[run.tasks]]), [], [[run]])
        for name, run in zip(names, runs, strict=True)
    ]
    config = experiments[0].config
    comparison = _compare_variants(entries, config.training.select, resamples, config.seed, names[0], None, None)
    comparison = replace(comparison, experiment=config.name, seeds=[runs[0].seed])
    return replace(comparison, summary=summarize(comparison, _collect_disclaimers(runs)))


def _collect_disclaimers(runs: Iterable[RunOutputs]) -> list[str]:
    return list(dict.fromkeys(run.disclaimer for run in runs if run.disclaimer))


def _read_variant_runs(plan: Plan, variant: Variant, runs_by_path: dict[Path, RunOutputs]) -> _VariantRuns:
    """Read the runs of a variant."""
    outputs: list[list[Mapping[str, LabelledOutputs]]] = []
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
    return _VariantRuns(VariantOutputs(variant.name, variant.kind, outputs), variant.overrides, repetitions)


def _build_majority(multi_task: VariantOutputs) -> VariantOutputs | None:
    """Return the baselines' predictions for the same labels; None if a task has no baseline."""
    outputs: list[list[Mapping[str, LabelledOutputs]]] = []
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


def _compare_variants(
    entries: Sequence[_VariantRuns],
    select: Selection,
    resamples: int,
    seed: int,
    reference: str,
    equal_weights: str | None,
    output_dir: Path | None,
) -> Comparison:
    """Score all variants; compare them with the reference, and multi-task variants also with equal weights."""
    runs = [run for entry in entries for repetition in entry.repetitions for run in repetition]
    outputs = entries[0].outputs.outputs
    tasks = {name: labelled_outputs.task for name, labelled_outputs in outputs[0][0].items()}
    metrics, aggregation = resolve_metrics(select, list(tasks.values()))
    for entry in entries:
        _check_classes(entry.outputs)
    examples = list(dict.fromkeys(labelled_outputs for run in runs for labelled_outputs in run.ids.tolist()))
    variant_outputs = [entry.outputs for entry in entries]
    bootstrap = PairedBootstrap(variant_outputs, metrics, aggregation, examples, resamples, seed)
    summaries = [_summarize_variant(bootstrap, entry, reference, equal_weights, output_dir) for entry in entries]
    measured_tasks = {
        name: MeasuredTask(spec.key(), spec.higher_is_better, int(bootstrap.label_counts[name][0]))
        for name, spec in metrics.items()
    }
    return Comparison(
        "",
        [],
        None,
        runs[0].split_name,
        len(examples),
        resamples,
        CONFIDENCE_LEVEL,
        reference,
        measured_tasks,
        summaries,
    )


def resolve_metrics(select: Selection, tasks: Sequence[FittedTask]) -> tuple[dict[str, MetricSpec], Aggregation]:
    """Return the metric of each task, and how tasks are aggregated: the same as for the choice of the best epoch.

    Args:
        select: How the experiment selects the best epoch. A metric that some task lacks is ignored.
        tasks: The tasks.

    Returns:
        Name of each task to its metric, and the aggregation over tasks.
    """
    has_metric = all(any(metric.key() == select.metric for metric in task.kind.metrics) for task in tasks)
    resolved = resolve_selection(Selection(metric=select.metric if has_metric else None), tasks)
    metrics = {
        task.name: next(
            metric for metric in task.kind.metrics if resolved.metric is None or metric.key() == resolved.metric
        )
        for task in tasks
    }
    aggregation: Aggregation = (
        "overall" if resolved.aggregation == "overall" else "mean" if resolved.aggregation == "mean" else "none"
    )
    return metrics, aggregation


def _check_classes(variant_outputs: VariantOutputs) -> None:
    """Check that all folds have the same classes; otherwise their outputs cannot be concatenated.

    Raises:
        MtlError: If the classes of two folds differ.
    """
    for folds in variant_outputs.outputs:
        for name, first_fold_outputs in folds[0].items():
            for fold in folds[1:]:
                first_classes, fold_classes = (
                    list(first_fold_outputs.task.space.classes),
                    list(fold[name].task.space.classes),
                )
                if first_classes != fold_classes:
                    raise MtlError(
                        f"task '{name}': folds have different classes ({join_names(first_classes)}; {join_names(fold_classes)}); declare "
                        "`kind.classes`, so that all folds have the same"
                    )


def _summarize_variant(
    bootstrap: PairedBootstrap,
    entry: _VariantRuns,
    reference: str,
    equal_weights: str | None,
    output_dir: Path | None,
) -> VariantSummary:
    variant_outputs = entry.outputs
    scores = {name: bootstrap.estimate(score) for name, score in bootstrap.get_scores(variant_outputs.name).items()}
    is_reference = variant_outputs.name == reference
    multi_task_kinds: tuple[Kind, ...] = ("multi-task", "variant")
    has_equal_weights_baseline = (
        equal_weights is not None
        and variant_outputs.kind in multi_task_kinds
        and variant_outputs.name != equal_weights
    )
    return VariantSummary(
        name=variant_outputs.name,
        kind=variant_outputs.kind,
        overrides=list(entry.overrides),
        tasks={name: one for name, one in scores.items() if name != OVERALL},
        overall=scores.get(OVERALL),
        delta_m=None if is_reference else bootstrap.compute_delta_m(variant_outputs.name, reference),
        differences_from_reference=None
        if is_reference
        else bootstrap.compute_differences(variant_outputs.name, reference),
        differences_from_equal_weights=bootstrap.compute_differences(variant_outputs.name, str(equal_weights))
        if has_equal_weights_baseline
        else None,
        parameters=round(
            _compute_median(sum(run.parameters for run in repetition) for repetition in entry.repetitions)
        ),
        train_s=_compute_median(sum(run.train_s for run in repetition) for repetition in entry.repetitions),
        inference_ms=_compute_median(
            sum(run.inference_ms for run in repetition) for repetition in entry.repetitions
        ),
        runs=[_format_run_path(run.path, output_dir) for repetition in entry.repetitions for run in repetition],
    )


def _compute_median(values: Iterable[float]) -> float:
    """Return the median; 0 for a variant without training."""
    sequence = list(values)
    return median(sequence) if sequence else 0.0


def _format_run_path(path: Path, output_dir: Path | None) -> str:
    return str(path.relative_to(output_dir) if output_dir is not None else path)
