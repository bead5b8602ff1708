"""Summaries of the scores of many tasks: mean, quartiles, and the comparison with the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from mtl_core.artifacts.metrics import MeanScore
from mtl_core.reporting.task_metrics import MetricValue, SplitMetrics, TaskMetrics

N_EXTREMES = 10
"""Number of best and of worst tasks that are listed."""


@dataclass(frozen=True)
class MetricSummary:
    """One metric over all tasks that have it.

    Attributes:
        name: The name of the metric.
        metrics: The value of each task that has the metric, undefined ones included.
        mean: The mean over the tasks whose value is defined, in which every task counts once.
    """

    name: str
    metrics: Sequence[MetricValue]
    mean: MeanScore

    @property
    def values(self) -> list[float]:
        """The defined values, in the order of the tasks."""
        return [metric.value for metric in self.metrics if metric.value is not None]

    @property
    def n_undefined(self) -> int:
        """The number of tasks whose value is undefined."""
        return len(self.metrics) - len(self.values)

    @property
    def lower_is_better(self) -> bool:
        """Whether smaller values are better."""
        return any(metric.lower_is_better for metric in self.metrics)

    @property
    def quartiles(self) -> tuple[float, float, float] | None:
        """The first quartile, the median and the third quartile of the values; None without values."""
        values = self.values
        if len(values) < 2:
            return (values[0], values[0], values[0]) if values else None
        first, median, third = quantiles(values, n=4, method="inclusive")
        return first, median, third

    @property
    def n_compared(self) -> int:
        """The number of tasks whose value and baseline are defined."""
        return sum(metric.is_better_than_baseline is not None for metric in self.metrics)

    @property
    def n_better(self) -> int:
        """The number of tasks that are better than their baseline."""
        return sum(metric.is_better_than_baseline is True for metric in self.metrics)

    @property
    def n_better_than_interval(self) -> int | None:
        """The number of tasks whose baseline is worse than their whole 95 % interval; None without intervals."""
        if not any(metric.interval for metric in self.metrics):
            return None
        return sum(_is_baseline_below_interval(metric) for metric in self.metrics)


def _is_baseline_below_interval(metric: MetricValue) -> bool:
    interval = metric.interval
    if interval is None or metric.baseline is None:
        return False
    return metric.baseline > interval[1] if metric.lower_is_better else metric.baseline < interval[0]


def summarize_metrics(split: SplitMetrics) -> list[MetricSummary]:
    """Summarize every scalar metric over the main tasks of a split, main metrics first.

    Args:
        split: The metrics of the split.
    """
    values: dict[str, list[MetricValue]] = {}
    main_metrics = dict.fromkeys(task.main_metric.name for task in split.tasks if task.main_metric is not None)
    for name in main_metrics:
        values[name] = []
    for task in split.tasks:
        for metric in task.metrics:
            values.setdefault(metric.name, []).append(metric)
    return [MetricSummary(name, metrics, get_mean(split, name, metrics)) for name, metrics in values.items()]


def get_mean(split: SplitMetrics, name: str, metrics: Sequence[MetricValue]) -> MeanScore:
    """Return the mean of a metric as in `metrics.json`; computed for runs that have none there."""
    if name in split.mean:
        return split.mean[name]
    defined = [metric for metric in metrics if metric.value is not None]
    values = [metric.value for metric in defined if metric.value is not None]
    baselines = [metric.baseline for metric in defined if metric.baseline is not None]
    return MeanScore(_compute_mean(values), _compute_mean(baselines), len(values))


def _compute_mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class RankedTasks:
    """The best and the worst tasks.

    Attributes:
        criterion: What tasks are ranked by: the name of their metric, or `relative_error_reduction` if their main
            metrics differ.
        best: The best tasks, the best one first.
        worst: The worst tasks, the worst one first. No task is in both lists.
    """

    criterion: str
    best: Sequence[TaskMetrics]
    worst: Sequence[TaskMetrics]


def rank_tasks(split: SplitMetrics) -> RankedTasks:
    """Return the best and the worst tasks of a split by their main metric; tasks without a value are left out.

    Args:
        split: The metrics of the split.
    """
    shared_metric = split.shared_metric
    scores = [(score, task) for task in split.tasks if (score := _compute_rank(task, shared_metric)) is not None]
    ranked = [task for _, task in sorted(scores, key=lambda pair: -pair[0])]
    n_best = min(N_EXTREMES, (len(ranked) + 1) // 2)
    n_worst = min(N_EXTREMES, len(ranked) - n_best)
    criterion = shared_metric or "relative_error_reduction"
    return RankedTasks(criterion, ranked[:n_best], ranked[::-1][:n_worst])


def _compute_rank(task: TaskMetrics, shared_metric: str | None) -> float | None:
    """Return a number that is higher for better tasks; None if it is undefined."""
    metric = task.main_metric
    if metric is None or metric.value is None:
        return None
    if shared_metric is None:
        return metric.relative_error_reduction
    return -metric.value if metric.lower_is_better else metric.value
