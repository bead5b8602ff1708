"""Pool scores over tasks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.evaluation.scores import MetricValue, TaskScore, Value
from mtl_core.plugins.specs import MetricSpec


def pool_scores(scores: Sequence[TaskScore]) -> TaskScore:
    """Pool scores over tasks: each label counts once, so tasks with more labels count more."""
    names = list(
        dict.fromkeys(
            name for score in scores for name, metric in score.metrics.items() if metric.pooled or metric.sums
        )
    )
    metrics = {name: _pool_metric([score.metrics[name] for score in scores if name in score.metrics]) for name in names}
    return TaskScore(sum(score.n for score in scores), metrics)


def _pool_metric(values: Sequence[MetricValue]) -> MetricValue:
    n = sum(metric.n for metric in values)
    metric_sums = [metric.sums for metric in values if metric.sums is not None]
    if not metric_sums:
        value = _compute_weighted_mean([(metric.value, metric.n) for metric in values])
        return MetricValue(
            value, n, _compute_weighted_mean([(metric.baseline, metric.n) for metric in values]), pooled=True
        )
    spec = metric_sums[0].spec
    value = _compute_from_sums(spec, [metric.value for metric in metric_sums])
    baseline_sums = [metric.baseline for metric in metric_sums if metric.baseline is not None]
    return MetricValue(
        value, n, _compute_from_sums(spec, baseline_sums), pooled=True, higher_is_better=spec.higher_is_better
    )


def _compute_from_sums(spec: MetricSpec, sums: Sequence[NDArray[np.float64]]) -> float | None:
    if not sums:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(spec.compute_from_sums(np.sum(sums, axis=0)))
    return value if np.isfinite(value) else None


def _compute_weighted_mean(weighted_values: Sequence[tuple[Value, int]]) -> float | None:
    known = [(value, n) for value, n in weighted_values if isinstance(value, float) and n]
    total = sum(n for _, n in known)
    return sum(value * n for value, n in known) / total if total else None
