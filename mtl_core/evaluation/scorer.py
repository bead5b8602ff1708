"""Compute metrics from outputs and targets under the label mask."""

from collections.abc import Sequence
from functools import cached_property

import torch

from mtl_core.data.batches import Examples, RowIndices
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup
from mtl_core.evaluation.inference import BatchOutputs, run_network, select_labelled_outputs
from mtl_core.evaluation.metric_accumulator import MetricAccumulator
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scores import MetricSums, MetricValue, Scores, TaskScore
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.specs import MetricSpec

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
        self._task = task
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
        prepared = _PreparedLabels(self._task, outputs, targets)
        for metric in self._metrics:
            metric.update(prepared)

    def compute(self) -> TaskScore:
        self._flush()
        values = {metric.spec.key(): metric.compute() for metric in self._metrics}
        # The number of labels of a task is that of its main metric, the first one.
        return TaskScore(next(iter(values.values())).n, values)


class _PreparedLabels:
    """Labels and the outputs for them in the form that metrics expect, computed once for all metrics of a task."""

    def __init__(self, task: FittedTask, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.targets = targets
        self._task, self._outputs = task, outputs

    @cached_property
    def _network(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._task.kind.prepare_for_metrics(self._outputs, self.targets)

    @cached_property
    def _baseline(self) -> tuple[torch.Tensor, torch.Tensor]:
        kind = self._task.kind.without_calibration()
        return kind.prepare_for_metrics(kind.build_baseline_outputs(len(self.targets)), self.targets)

    def select_network(self, rows: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and targets of some rows; of all for None."""
        outputs, targets = self._network
        return (outputs, targets) if rows is None else (outputs[rows], targets[rows])

    def select_baseline(self, rows: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs of the baseline, and targets, of some rows; of all for None."""
        outputs, targets = self._baseline
        return (outputs, targets) if rows is None else (outputs[rows], targets[rows])


class _MetricWithBaseline:
    """One metric of one task, for the network and for the baseline."""

    def __init__(self, spec: MetricSpec, task: FittedTask) -> None:
        self.spec = spec
        self._task = task
        self._network = MetricAccumulator(spec, task.space)
        self._baseline = MetricAccumulator(spec, task.space) if task.kind.baseline is not None else None
        self._n = 0

    def update(self, labels: _PreparedLabels) -> None:
        is_scored = self.spec.select_rows(self._task.space, labels.targets)
        n = int(is_scored.sum())
        if not n:
            return
        self._n += n
        rows = None if n == len(is_scored) else is_scored
        self._network.update(*labels.select_network(rows))
        if self._baseline is not None:
            self._baseline.update(*labels.select_baseline(rows))

    def compute(self) -> MetricValue:
        spec = self.spec
        value = self._network.compute()
        baseline = self._baseline.compute() if self._baseline is not None else None
        return MetricValue(
            value, self._n, baseline, spec.pooled, spec.scalar, spec.higher_is_better, self._get_sums_to_pool()
        )

    def _get_sums_to_pool(self) -> MetricSums | None:
        if not self.spec.pooled_by_sums or self._network.sums is None:
            return None
        return MetricSums(self.spec, self._network.sums, self._baseline.sums if self._baseline is not None else None)
