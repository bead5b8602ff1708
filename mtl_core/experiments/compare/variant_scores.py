"""Score all variants of a comparison, decide on their differences, and summarize each variant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mtl_core.artifacts.comparison import Comparison, Difference, Kind, MeasuredTask, VariantSummary
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.config.training import Selection
from mtl_core.data.fitted_task import FittedTask
from mtl_core.evaluation.selection import resolve_selection
from mtl_core.experiments.compare.comparability import check_same_classes
from mtl_core.experiments.compare.compared_scores import Aggregation, ComparedScores, ScoreDifference, VariantOutputs
from mtl_core.experiments.compare.decide_verdicts import Contrast, DifferenceKey, decide_differences
from mtl_core.experiments.compare.margins import resolve_margins, resolve_overall_margin
from mtl_core.experiments.compare.run_outputs import RunOutputs
from mtl_core.plugins.specs import MetricSpec
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL


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
    margins: Mapping[str, float],
    seed: int,
    reference: str,
    equal_weights: str | None,
    output_dir: Path | None,
) -> Comparison:
    """Score all variants; compare them with the reference, and multi-task variants also with equal weights.

    Args:
        entries: The variants with their runs.
        select: How the experiment selects the best epoch.
        margins: Task to the largest difference that makes no practical difference, see `parse_margins`.
        seed: The seed of the permutation test.
        reference: The name of the reference.
        equal_weights: The name of the variant with equal weights; None if there is none.
        output_dir: The output directory of the comparison; None for runs from anywhere.
    """
    runs = [run for entry in entries for repetition in entry.repetitions for run in repetition]
    tasks = {name: labelled_outputs.task for name, labelled_outputs in entries[0].outputs.outputs[0][0].items()}
    metrics, aggregation = resolve_metrics(select, list(tasks.values()))
    for entry in entries:
        check_same_classes(entry.outputs.outputs)
    examples = list(dict.fromkeys(example_id for run in runs for example_id in run.ids.tolist()))
    scores = ComparedScores([entry.outputs for entry in entries], metrics, aggregation, examples, seed)
    measured_tasks = _measure_tasks(scores, metrics, margins, reference)
    raw_differences: dict[DifferenceKey, ScoreDifference] = {}
    for entry in entries:
        for contrast, other in _list_contrasts(entry.outputs, reference, equal_weights):
            for task, difference in scores.compute_differences(entry.outputs.name, other).items():
                raw_differences[DifferenceKey(entry.outputs.name, contrast, task)] = difference
    differences, families = decide_differences(
        scores,
        raw_differences,
        {entry.outputs.name: entry.outputs.kind for entry in entries},
        {OVERALL: resolve_overall_margin(measured_tasks), **{name: one.margin for name, one in measured_tasks.items()}},
        is_conclusive=entries[0].outputs.kind == "run" or len(entries[0].outputs.outputs) > 1,
    )
    return Comparison(
        experiment="",
        seeds=[],
        folds=None,
        split_name=runs[0].split_name,
        examples=len(examples),
        confidence_level=CONFIDENCE_LEVEL,
        reference=reference,
        tasks=measured_tasks,
        variants=[_summarize_variant(scores, entry, reference, differences, output_dir) for entry in entries],
        families=families,
    )


def _measure_tasks(
    scores: ComparedScores, metrics: Mapping[str, MetricSpec], margins: Mapping[str, float], reference: str
) -> dict[str, MeasuredTask]:
    reference_scores = scores.estimate_scores(reference)
    resolved_margins = resolve_margins(
        margins,
        {task: reference_scores[task].mean for task in metrics},
        {task: spec.higher_is_better for task, spec in metrics.items()},
    )
    label_counts = scores.label_counts
    return {
        name: MeasuredTask(spec.key(), spec.higher_is_better, label_counts[name], resolved_margins[name])
        for name, spec in metrics.items()
    }


def _list_contrasts(
    variant: VariantOutputs, reference: str, equal_weights: str | None
) -> Iterator[tuple[Contrast, str]]:
    """Yield what a variant is compared with: the reference, and equal weights if it is a multi-task variant."""
    multi_task_kinds: tuple[Kind, ...] = ("multi-task", "variant")
    if variant.name != reference:
        yield "reference", reference
    if equal_weights is not None and variant.kind in multi_task_kinds and variant.name != equal_weights:
        yield "equal weights", equal_weights


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
    scores: ComparedScores,
    entry: VariantRuns,
    reference: str,
    differences: Mapping[DifferenceKey, Difference],
    output_dir: Path | None,
) -> VariantSummary:
    name = entry.outputs.name
    estimates = scores.estimate_scores(name)

    def select_differences(contrast: Contrast) -> dict[str, Difference] | None:
        selected = {
            task: differences[key] for task in estimates if (key := DifferenceKey(name, contrast, task)) in differences
        }
        return selected or None

    return VariantSummary(
        name=name,
        kind=entry.outputs.kind,
        overrides=list(entry.overrides),
        tasks={task: one for task, one in estimates.items() if task != OVERALL},
        overall=estimates.get(OVERALL),
        delta_m=None if name == reference else scores.compute_delta_m(name, reference),
        differences_from_reference=select_differences("reference"),
        differences_from_equal_weights=select_differences("equal weights"),
        parameters=round(
            _compute_median(sum(run.parameters for run in repetition) for repetition in entry.repetitions)
        ),
        train_s=_compute_median(sum(run.train_s for run in repetition) for repetition in entry.repetitions),
        inference_ms=_compute_median(sum(run.inference_ms for run in repetition) for repetition in entry.repetitions),
        runs=[_format_run_path(run.path, output_dir) for repetition in entry.repetitions for run in repetition],
        mean_difference=None if name == reference else scores.compute_mean_difference(name, reference),
    )


def _compute_median(values: Iterable[float]) -> float:
    """Return the median; 0 for a variant without training."""
    sequence = list(values)
    return median(sequence) if sequence else 0.0


def _format_run_path(path: Path, output_dir: Path | None) -> str:
    return str(path.relative_to(output_dir) if output_dir is not None else path)
