"""The facts and the summary section of a run."""

from collections.abc import Iterator, Mapping, Sequence

from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.reporting.blocks import Section, TextBlock
from mtl_core.reporting.calibration_curve import CalibrationCurves
from mtl_core.reporting.formatting import (
    format_count,
    format_duration,
    format_metric,
    format_percent,
    format_percentage_points,
    format_signed,
    join_with_and,
    pluralize,
)
from mtl_core.reporting.read_run import RunArtifacts
from mtl_core.reporting.task_metrics import MetricValue, SplitMetrics
from mtl_core.reporting.wilson_interval import compute_wilson_p_value
from mtl_core.statistics.multiple_testing import adjust_p_values
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL

MIN_CALIBRATION_GAP = 0.02
"""Minimum difference between confidence and accuracy to be reported."""
N_STANDARD_ERRORS = 2.0
"""Number of standard errors below zero from which a negative cosine is reported."""


def collect_facts(artifacts: RunArtifacts) -> list[tuple[str, str]]:
    """Collect names and values for the header of the page."""
    epochs = len(artifacts.history.selection)
    entries = [("tasks", format_count(len(artifacts.main_split.tasks)))] if artifacts.main_split else []
    entries += [
        (split_name, pluralize(n_examples, "example")) for split_name, n_examples in artifacts.data.examples.items()
    ]
    entries += [
        ("parameters", format_count(artifacts.parameters)),
        ("selected epoch", f"{artifacts.best_epoch} of {epochs}"),
        ("training", format_duration(artifacts.timing.train_s)),
        ("seed", str(artifacts.seed)),
    ]
    return entries


def build_summary_section(artifacts: RunArtifacts, calibration_curves: CalibrationCurves | None) -> Section:
    """Build the section with the main findings."""
    sentences = [
        *_compare_with_baselines(artifacts.main_split),
        *_describe_best_epoch(artifacts),
        *_describe_calibration(calibration_curves),
        *_describe_strongest_conflict(artifacts.interactions),
    ]
    if artifacts.data.warnings:
        sentences.append(f"{pluralize(len(artifacts.data.warnings), 'warning')} about the data: see Data.")
    if artifacts.warm_start is not None:
        run, n_parameters = artifacts.warm_start
        sentences.append(f"Warm start: {pluralize(n_parameters, 'parameter')} loaded from the run {run}.")
    return Section("summary", "Summary", [TextBlock(sentences, is_list=True)])


def _compare_with_baselines(split: SplitMetrics | None) -> Iterator[str]:
    if split is None:
        return
    main_metrics = {task.name: task.main_metric for task in split.tasks if task.main_metric is not None}
    better = [name for name, metric in main_metrics.items() if metric.is_better_than_baseline]
    worse = [name for name, metric in main_metrics.items() if metric.is_better_than_baseline is False]
    undefined = [task.name for task in split.tasks if task.main_metric is None or task.main_metric.value is None]
    not_resolved = _find_unresolved(main_metrics, better)
    if better:
        if worse or undefined:
            yield f"Better than the baseline in {len(better)} of {len(split.tasks)} tasks: {join_with_and(better)}."
        elif len(split.tasks) > 1:
            yield f"Better than the baseline in all {len(split.tasks)} tasks."
    if not_resolved:
        yield (
            f"The difference from the baseline is not resolved for {join_with_and(not_resolved)}: the p-value, "
            f"corrected for {pluralize(len(main_metrics), 'task')}, is above 0.05."
        )
    if worse:
        yield f"No better than the baseline, which ignores the input: {join_with_and(worse)}."
    if undefined:
        names = join_with_and(undefined)
        yield f"Undefined, because the {split.split_name} data has no labels that count: {names}."


def _find_unresolved(metrics: Mapping[str, MetricValue], better: Sequence[str]) -> list[str]:
    """Return the tasks that are better than the baseline, but not by a test that is corrected for their number."""
    p_values = {
        name: compute_wilson_p_value(metric.value, metric.n, metric.baseline)
        for name, metric in metrics.items()
        if metric.interval is not None and metric.value is not None and metric.baseline is not None
    }
    adjusted = dict(zip(p_values, adjust_p_values(list(p_values.values())), strict=True))
    return [name for name in better if adjusted.get(name, 0.0) > 1 - CONFIDENCE_LEVEL]


def _describe_best_epoch(artifacts: RunArtifacts) -> Iterator[str]:
    if artifacts.best_score is None:
        yield "Without validation data, the last epoch is selected."
        return
    epochs = len(artifacts.history.selection)
    score = format_metric(artifacts.best_score)
    yield f"Epoch {artifacts.best_epoch} of {epochs} has the best validation score, {score}."
    if artifacts.best_epoch == epochs > 1:
        yield "The last epoch is the best one: more epochs may improve the results."
    if artifacts.history.refit:
        yield (
            "The network was then refitted on training and validation data; test metrics are of the refitted "
            "network, validation metrics of the first one."
        )


def _describe_calibration(calibration_curves: CalibrationCurves | None) -> Iterator[str]:
    if calibration_curves is None:
        return
    pooled = calibration_curves.pooled
    if pooled.mean_confidence is None or pooled.accuracy is None:
        return
    confidence_gap = pooled.mean_confidence - pooled.accuracy
    confidence, accuracy = format_percent(pooled.mean_confidence), format_percent(pooled.accuracy)
    if abs(confidence_gap) < MIN_CALIBRATION_GAP:
        yield f"Well calibrated: mean confidence {confidence}, accuracy {accuracy}."
        return
    direction = "over" if confidence_gap > 0 else "under"
    yield (
        f"The network is {direction}confident by {format_percentage_points(confidence_gap)} (mean confidence "
        f"{confidence}, accuracy {accuracy})."
    )


def _describe_strongest_conflict(interactions: TaskInteractions | None) -> Iterator[str]:
    if interactions is None or not interactions.pairs:
        return
    cosine, a, b = min((interactions.cosine[a][b] or 0.0, a, b) for a, b in interactions.pairs)
    error = interactions.cosine_error[a][b] or 0.0
    if cosine + N_STANDARD_ERRORS * error < 0:
        names = f"{interactions.tasks[a]} and {interactions.tasks[b]}"
        yield f"{names} have the most conflicting gradients: their mean cosine is {format_signed(cosine)}."
    else:
        yield "No pair of tasks has significantly conflicting gradients on average."
