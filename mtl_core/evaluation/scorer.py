"""Compute metrics from outputs and targets under the label mask."""

from collections.abc import Sequence

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray

from mtl_core.data.batches import Examples, RowIndices
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs, run_network, select_labelled_outputs
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scores import MetricSums, MetricValue, Scores, TaskScore, Value
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import MetricSpec

Sums = NDArray[np.float64] | None


MAX_BUFFERED_VALUES = 2_000_000
"""Number of output values that a task buffers before it updates its metrics."""


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


def compute_scores(
    network: MultiTaskNetwork,
    examples: Examples,
    rows: RowIndices,
    groups: Sequence[TaskGroup],
    active_groups: Sequence[bool] | None = None,
) -> Scores:
    """Compute the scores of a network on some examples.

    Args:
        network: The network; it is set to evaluation mode.
        examples: Encoded inputs and targets.
        rows: `(n,)`, int64: row indices of the examples.
        groups: The head groups.
        active_groups: Whether to compute each head group; all by default.
    """
    scorer = Scorer(groups)
    for batch_outputs in run_network(network, examples, rows, get_device(network), active_groups):
        scorer.update(batch_outputs)
    return scorer.compute()


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
        self._baseline_kind = task.kind.without_calibration()
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
            baseline_outputs = self._baseline_kind.build_baseline_outputs(len(targets))[rows]
            baseline_inputs = self._baseline_kind.prepare_for_metrics(baseline_outputs, targets[rows])
            self._baseline.update(*baseline_inputs)
            self._baseline_sums = self._add_sums(self._baseline_sums, *baseline_inputs)

    def _add_sums(self, sums: Sums, outputs: torch.Tensor, targets: torch.Tensor) -> Sums:
        """Add labels to the sums for pooling over tasks, if the metric is pooled by sums."""
        added = self.spec.compute_label_sums(self._task.space, outputs, targets) if self.spec.pooled_by_sums else None
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
