"""Metrics from outputs and targets under the label mask, with counts; undefined metrics are None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray

from mtl_core.data.task_groups import FittedTask, TaskGroup
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs, select_labelled_outputs
from mtl_core.plugins.specs import MetricSpec

Value = float | list[list[int]] | None
Sums = NDArray[np.float64] | None
MAX_BUFFERED_VALUES = 2_000_000
"""Number of output values that a task buffers before it updates its metrics."""


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
        if not isinstance(self.value, float) or not isinstance(self.baseline, float):
            return None
        error, baseline_error = (
            (1 - self.value, 1 - self.baseline) if self.higher_is_better else (self.value, self.baseline)
        )
        return (baseline_error - error) / baseline_error if baseline_error > 0 else None


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


class Scorer:
    """Computes every metric of every task from batches of outputs.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        self._tasks = {task.name: _TaskScorer(task) for group in groups for task in group.tasks}

    def update(self, batch_outputs: BatchOutputs) -> None:
        """Update the metrics with a batch."""
        for task, outputs, targets, _ in select_labelled_outputs(self._groups, batch_outputs):
            self._tasks[task.name].update(outputs, targets)

    def compute(self) -> Scores:
        """Compute the scores of all batches so far."""
        main: dict[str, TaskScore] = {}
        auxiliary: dict[str, TaskScore] = {}
        for group in self._groups:
            for task in group.tasks:
                task_scores = main if task.auxiliary_spec is None else auxiliary
                task_scores[task.name] = self._tasks[task.name].compute()
        return Scores(main, pool_scores(list(main.values())), auxiliary)


class _TaskScorer:
    """The metrics of one task. Labels are buffered, so that metrics are updated with few large batches."""

    def __init__(self, task: FittedTask) -> None:
        self._buffer: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._n_buffered = 0
        self._metrics = [_MetricWithBaseline(metric, task) for metric in task.kind.metrics]

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self._buffer.append((outputs, targets))
        self._n_buffered += outputs.numel()
        if self._n_buffered > MAX_BUFFERED_VALUES:
            self._flush()

    def _flush(self) -> None:
        if not self._buffer:
            return
        outputs = torch.cat([output for output, _ in self._buffer])
        targets = torch.cat([target for _, target in self._buffer])
        self._buffer, self._n_buffered = [], 0
        for metric in self._metrics:
            metric.update(outputs, targets)

    def compute(self) -> TaskScore:
        self._flush()
        values = {metric.spec.key(): metric.compute() for metric in self._metrics}
        # The number of labels of a task is that of its main metric, the first one.
        return TaskScore(next(iter(values.values())).n, values)


class _MetricWithBaseline:
    """One metric of one task, for the network and for the baseline."""

    def __init__(self, spec: MetricSpec, task: FittedTask) -> None:
        self.spec = spec
        self._task = task
        self._network = _disable_sync(spec.build(task.space))
        self._baseline = _disable_sync(spec.build(task.space)) if task.kind.baseline is not None else None
        self._n = 0
        self._sums: Sums = None
        self._baseline_sums: Sums = None

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        kind = self._task.kind
        rows = self.spec.select_rows(self._task.space, targets)
        n = int(rows.sum())
        if not n:
            return
        self._n += n
        metric_inputs = kind.prepare_for_metrics(outputs[rows], targets[rows])
        self._network.update(*metric_inputs)
        self._sums = self._add_sums(self._sums, *metric_inputs)
        if self._baseline is not None:
            baseline_inputs = kind.prepare_for_metrics(
                kind.build_baseline_outputs(len(targets))[rows], targets[rows]
            )
            self._baseline.update(*baseline_inputs)
            self._baseline_sums = self._add_sums(self._baseline_sums, *baseline_inputs)

    def _add_sums(self, sums: Sums, outputs: torch.Tensor, targets: torch.Tensor) -> Sums:
        """Add labels to the sums for pooling over tasks, if the metric is pooled by sums."""
        added = (
            self.spec.compute_label_sums(self._task.space, outputs, targets) if self.spec.pooled_by_sums else None
        )
        if added is None:
            return sums
        new: NDArray[np.float64] = added.double().sum(dim=0).numpy()
        return new if sums is None else sums + new

    def compute(self) -> MetricValue:
        spec = self.spec
        value = compute_value(spec, self._network, self._n)
        baseline = compute_value(spec, self._baseline, self._n) if self._baseline is not None else None
        sums = MetricSums(spec, self._sums, self._baseline_sums) if self._sums is not None else None
        return MetricValue(value, self._n, baseline, spec.pooled, spec.scalar, spec.higher_is_better, sums)


def _disable_sync(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """Disable the synchronization of a metric over ranks: every rank evaluates all labels."""
    for submetric in metric.modules():
        if isinstance(submetric, torchmetrics.Metric):
            submetric.distributed_available_fn = _is_distributed
    return metric


def _is_distributed() -> bool:
    return False


def compute_value(spec: MetricSpec, metric: torchmetrics.Metric, n: int) -> Value:
    """Compute a metric over n labels; None without labels, or if the value is undefined.

    Raises:
        MtlError: If the value is not one number although the spec declares it `scalar`.
    """
    if not n:
        return None
    result = metric.compute()
    if result.ndim == 0 and not torch.isfinite(result):
        return None
    if result.ndim and spec.scalar:
        raise MtlError(
            f"metric '{spec.type}': returned a tensor of shape {tuple(result.shape)}, but its `scalar` "
            "declares one number"
        )
    if result.ndim:
        matrix: Value = result.tolist()
        return matrix
    return _round_fraction(float(result), n) if spec.pooled else float(result)


def _round_fraction(value: float, n: int) -> float:
    """Undo the float32 rounding of a fraction of n labels, so that equal results are equal numbers."""
    count = round(value * n)
    return count / n if abs(value * n - count) < 1e-6 * n else value


def pool_scores(scores: Sequence[TaskScore]) -> TaskScore:
    """Pool scores over tasks: each label counts once, so tasks with more labels count more."""
    names = list(
        dict.fromkeys(
            name for score in scores for name, metric in score.metrics.items() if metric.pooled or metric.sums
        )
    )
    metrics = {
        name: _pool_metric([score.metrics[name] for score in scores if name in score.metrics]) for name in names
    }
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
