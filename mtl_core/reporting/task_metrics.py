"""The metrics of tasks as stored in `metrics.json`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtl_core.artifacts.metrics import OVERALL, MeanScore, get_baseline_key, get_count_key
from mtl_core.reporting.wilson_interval import compute_wilson_interval


@dataclass(frozen=True)
class MetricValue:
    """The value of one scalar metric.

    Attributes:
        name: The name of the metric.
        value: The value; None if it is undefined.
        baseline: The value of the baseline; None if it is undefined.
        n: Number of labels that the metric is computed on.
        is_proportion: Whether the metric is a proportion of these labels.
        lower_is_better: Whether smaller values are better.
    """

    name: str
    value: float | None
    baseline: float | None
    n: int
    is_proportion: bool
    lower_is_better: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval; None if the value is not a proportion with a whole number of labels."""
        if not self.is_proportion or self.value is None or not self.n or not 0 <= self.value <= 1:
            return None
        correct = self.value * self.n
        return compute_wilson_interval(correct, self.n) if abs(correct - round(correct)) < 1e-6 * self.n else None

    @property
    def is_better_than_baseline(self) -> bool | None:
        """Whether the value is better than the baseline; None if either is undefined."""
        if self.value is None or self.baseline is None:
            return None
        return self.value < self.baseline if self.lower_is_better else self.value > self.baseline

    @property
    def relative_error_reduction(self) -> float | None:
        """The relative error reduction over the baseline; None if it is undefined."""
        if self.value is None or self.baseline is None:
            return None
        error, baseline_error = (
            (self.value, self.baseline) if self.lower_is_better else (1 - self.value, 1 - self.baseline)
        )
        return (baseline_error - error) / baseline_error if baseline_error > 0 else None


@dataclass(frozen=True)
class TaskMetrics:
    """The metrics of one task, or of all tasks pooled.

    Attributes:
        name: The name of the task.
        n: Number of labels that count.
        correct: Number of labels that are predicted exactly; None if it is not reported.
        metrics: The scalar metrics; the first is the main one.
        confusion: The confusion matrix, true classes in rows, predicted classes in columns; None without one.
    """

    name: str
    n: int
    correct: int | None
    metrics: Sequence[MetricValue]
    confusion: Sequence[Sequence[int]] | None

    @property
    def main_metric(self) -> MetricValue | None:
        """The main metric; None without metrics."""
        return self.metrics[0] if self.metrics else None

    def get_metric(self, metric: str) -> MetricValue | None:
        """Return the metric with this name; None if there is none."""
        return next((one for one in self.metrics if one.name == metric), None)


@dataclass(frozen=True)
class SplitMetrics:
    """The metrics on one split.

    Attributes:
        split_name: The name of the split.
        n_examples: Number of examples.
        tasks: The metrics of each main task.
        overall: The metrics of all main tasks pooled.
        auxiliary: The metrics of each auxiliary task.
        mean: Metric to its mean over the main tasks; empty for runs that have none in `metrics.json`.
    """

    split_name: str
    n_examples: int
    tasks: Sequence[TaskMetrics]
    overall: TaskMetrics
    auxiliary: Sequence[TaskMetrics]
    mean: Mapping[str, MeanScore] = field(default_factory=dict)

    @property
    def shared_metric(self) -> str | None:
        """The name of the main metric if all tasks share it; None otherwise."""
        names = {task.main_metric.name if task.main_metric else None for task in self.tasks}
        return next(iter(names)) if len(names) == 1 else None


def parse_split_metrics(
    split_name: str,
    n_examples: int,
    entry: Mapping[str, Any],
    lower_is_better: Collection[str],
    mean: Mapping[str, MeanScore],
) -> SplitMetrics:
    """Parse the entry of a split in `metrics.json`.

    Args:
        split_name: The name of the split.
        n_examples: Number of examples.
        entry: The entry.
        lower_is_better: The metrics for which smaller values are better.
        mean: Metric to its mean over the main tasks.

    Raises:
        KeyError, TypeError, ValueError: If the entry is invalid.
    """

    def parse_tasks(entries: Mapping[str, Any]) -> list[TaskMetrics]:
        return [parse_task_metrics(name, task_entry, lower_is_better) for name, task_entry in entries.items()]

    overall = parse_task_metrics(OVERALL, entry["overall"], lower_is_better)
    auxiliary = parse_tasks(entry.get("auxiliary", {}))
    return SplitMetrics(split_name, n_examples, parse_tasks(entry["tasks"]), overall, auxiliary, mean)


def parse_task_metrics(name: str, entry: Mapping[str, Any], lower_is_better: Collection[str]) -> TaskMetrics:
    """Parse the entry of one task in `metrics.json`.

    Raises:
        KeyError, TypeError, ValueError: If the entry is invalid.
    """
    n, correct = int(entry["n"]), entry.get("correct")
    metrics = []
    for metric, value in entry.items():
        for is_proportion in (True, False):
            if (key := get_baseline_key(metric, is_proportion)) in entry:
                metric_n = int(entry.get(get_count_key(metric), n))
                is_lower_better = metric in lower_is_better
                numbers = [None if number is None else float(number) for number in (value, entry[key])]
                metrics.append(MetricValue(metric, numbers[0], numbers[1], metric_n, is_proportion, is_lower_better))
                break
    return TaskMetrics(name, n, None if correct is None else int(correct), metrics, entry.get("confusion"))
