"""Metrics from outputs and targets under the label mask, with counts; undefined metrics are None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.metrics import MeanScore
from mtl_core.plugins.specs import MetricSpec

Value = float | list[list[int]] | None


@dataclass(frozen=True)
class MetricSums:
    """Sums over labels from which a metric is computed.

    Attributes:
        spec: The metric, which computes its value from the sums.
        value: `(sums,)`, float64: sums for the network.
        baseline: `(sums,)`, float64: sums for the baseline; None without a baseline.
    """

    spec: MetricSpec
    value: NDArray[np.float64]
    baseline: NDArray[np.float64] | None


@dataclass(frozen=True)
class MetricValue:
    """The value of one metric.

    Attributes:
        value: The value; None if it is undefined.
        n: Number of labels.
        baseline: The value for the baseline (the majority class of the training labels).
        pooled: Whether values are averaged over tasks, weighted by the number of labels.
        scalar: Whether the value is one number.
        higher_is_better: Whether higher values are better.
        sums: Sums that are added over tasks instead of a mean of values; None if there are none.
    """

    value: Value
    n: int
    baseline: Value
    pooled: bool
    scalar: bool = True
    higher_is_better: bool = True
    sums: "MetricSums | None" = None

    @property
    def relative_error_reduction(self) -> float | None:
        """The relative error reduction against the baseline; None if it is undefined.

        The error of a metric for which higher is better is 1 minus its value.
        """
        if not isinstance(self.value, float) or not self.baseline_error:
            return None
        error = 1 - self.value if self.higher_is_better else self.value
        return (self.baseline_error - error) / self.baseline_error

    @property
    def baseline_error(self) -> float | None:
        """The error of the baseline; None if it is 0 or undefined, so that nothing can be compared with it."""
        if not isinstance(self.baseline, float):
            return None
        error = 1 - self.baseline if self.higher_is_better else self.baseline
        return error if error > 0 else None


@dataclass(frozen=True)
class TaskScore:
    """The scores of one task: the number of valid labels, and metric name to value."""

    n: int
    metrics: Mapping[str, MetricValue]


@dataclass(frozen=True)
class Scores:
    """The scores on one split.

    Attributes:
        tasks: Name of each main task to its scores.
        overall: Metrics pooled over all main tasks.
        auxiliary: Name of each auxiliary task to its scores.
    """

    tasks: Mapping[str, TaskScore]
    overall: TaskScore
    auxiliary: Mapping[str, TaskScore] = field(default_factory=dict)

    @cached_property
    def mean(self) -> Mapping[str, MeanScore]:
        """Each scalar metric of the main tasks to its mean over the tasks in which it is defined."""
        values: dict[str, list[MetricValue]] = {}
        for score in self.tasks.values():
            for name, metric in score.metrics.items():
                if metric.scalar:
                    values.setdefault(name, []).append(metric)
        return {name: _compute_mean_score(metrics) for name, metrics in values.items()}


def _compute_mean_score(metrics: Sequence[MetricValue]) -> MeanScore:
    values = [metric.value for metric in metrics if isinstance(metric.value, float)]
    baselines = [
        metric.baseline for metric in metrics if isinstance(metric.value, float) and isinstance(metric.baseline, float)
    ]
    return MeanScore(_compute_mean(values), _compute_mean(baselines), len(values))


def _compute_mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
