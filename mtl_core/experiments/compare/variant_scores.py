"""Score all variants of a comparison on the same resamples, and summarize each one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mtl_core.artifacts.comparison import Comparison, Kind, MeasuredTask, VariantSummary
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.config.training import Selection
from mtl_core.data.fitted_task import FittedTask
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.experiments.compare.bootstrap import CONFIDENCE_LEVEL
from mtl_core.experiments.compare.comparability import check_same_classes
from mtl_core.experiments.compare.paired_bootstrap import Aggregation, PairedBootstrap, VariantOutputs
from mtl_core.experiments.compare.run_outputs import RunOutputs
from mtl_core.plugins.specs import MetricSpec


@dataclass(frozen=True)
class VariantRuns:
    """A variant with its runs.

    Attributes:
        outputs: The outputs of its networks.
        overrides: Its overrides.
        repetitions: Its runs, per seed and fold: one run for all tasks, or one run per task.
    """

    outputs: VariantOutputs
    overrides: Sequence[str]
    repetitions: Sequence[Sequence[RunOutputs]]


def compare_variants(
    entries: Sequence[VariantRuns],
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
        check_same_classes(entry.outputs.outputs)
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


def _summarize_variant(
    bootstrap: PairedBootstrap,
    entry: VariantRuns,
    reference: str,
    equal_weights: str | None,
    output_dir: Path | None,
) -> VariantSummary:
    variant_outputs = entry.outputs
    scores = {name: bootstrap.estimate(score) for name, score in bootstrap.get_scores(variant_outputs.name).items()}
    is_reference = variant_outputs.name == reference
    multi_task_kinds: tuple[Kind, ...] = ("multi-task", "variant")
    has_equal_weights_baseline = (
        equal_weights is not None and variant_outputs.kind in multi_task_kinds and variant_outputs.name != equal_weights
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
        inference_ms=_compute_median(sum(run.inference_ms for run in repetition) for repetition in entry.repetitions),
        runs=[_format_run_path(run.path, output_dir) for repetition in entry.repetitions for run in repetition],
    )


def _compute_median(values: Iterable[float]) -> float:
    """Return the median; 0 for a variant without training."""
    sequence = list(values)
    return median(sequence) if sequence else 0.0


def _format_run_path(path: Path, output_dir: Path | None) -> str:
    return str(path.relative_to(output_dir) if output_dir is not None else path)
