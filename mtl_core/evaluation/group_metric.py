"""One metric of the tasks of a head group, for the network and for the baselines."""

from collections.abc import Sequence

import torch

from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.label_space import LabelSpace
from mtl_core.evaluation.group_accumulator import GroupAccumulator
from mtl_core.evaluation.metric_accumulator import find_definition
from mtl_core.evaluation.prepared_labels import PreparedLabels
from mtl_core.evaluation.scores import MetricSums, MetricValue
from mtl_core.evaluation.task_metric import TaskMetric
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec


class GroupMetric:
    """One metric of the tasks of a head group, computed for all tasks at once where the metric supports it.

    A single task is computed by itself. So is every task of a metric that does not support the tasks together.

    Args:
        spec: The metric.
        tasks: The tasks.
    """

    def __init__(self, spec: MetricSpec, tasks: Sequence[FittedTask]) -> None:
        self.spec = spec
        self._spaces = [task.space for task in tasks]
        self._has_baseline = [task.kind.baseline is not None for task in tasks]
        self._counts = torch.zeros(len(tasks), dtype=torch.int64)
        self._network = GroupAccumulator(spec, self._spaces)
        self._baseline = GroupAccumulator(spec, self._spaces)
        self._task_metrics = self._build_task_metrics() if len(tasks) == 1 else None

    def update(self, prepared: PreparedLabels) -> None:
        """Add labels of the tasks."""
        is_scored = _select_rows(self.spec, self._spaces, prepared.labels)
        network, baseline = prepared.get_network(self.spec), prepared.get_baseline(self.spec)
        if is_scored is not None:
            network, baseline = network.select(is_scored), baseline and baseline.select(is_scored)
        if self._task_metrics is None and len(network.targets) and not self._update_group(network, baseline):
            self._task_metrics = self._build_task_metrics()
        if self._task_metrics is not None:
            _update_tasks(self._task_metrics, network, baseline)

    def _update_group(self, network: GroupLabels, baseline: GroupLabels | None) -> bool:
        if not self._network.update(network):
            return False
        self._counts += network.counts
        if baseline is not None:
            self._baseline.update(baseline)
        return True

    def _build_task_metrics(self) -> list[TaskMetric]:
        return [
            TaskMetric(self.spec, space, has_baseline)
            for space, has_baseline in zip(self._spaces, self._has_baseline, strict=True)
        ]

    def compute(self) -> list[MetricValue]:
        """Compute the metric of each task over all labels so far."""
        if self._task_metrics is not None:
            return [metric.compute() for metric in self._task_metrics]
        spec = self.spec
        values, baselines = self._network.compute(), self._baseline.compute()
        return [
            MetricValue(
                values[task],
                n,
                baselines[task] if self._has_baseline[task] else None,
                spec.pooled,
                spec.scalar,
                spec.higher_is_better,
                self._get_sums_to_pool(task),
            )
            for task, n in enumerate(self._counts.tolist())
        ]

    def _get_sums_to_pool(self, task: int) -> MetricSums | None:
        sums = self._network.get_sums(task) if self.spec.pooled_by_sums else None
        if sums is None:
            return None
        return MetricSums(self.spec, sums, self._baseline.get_sums(task) if self._has_baseline[task] else None)


def _update_tasks(metrics: Sequence[TaskMetric], network: GroupLabels, baseline: GroupLabels | None) -> None:
    baseline_outputs = (
        [outputs for outputs, _ in baseline.split_tasks()] if baseline is not None else [None] * len(metrics)
    )
    for metric, (outputs, targets), task_baseline in zip(metrics, network.split_tasks(), baseline_outputs, strict=True):
        metric.update(outputs, targets, task_baseline)


def _select_rows(spec: MetricSpec, spaces: Sequence[LabelSpace], labels: GroupLabels) -> torch.Tensor | None:
    """Return which labels the metric uses, `(labels,)`, bool; None for all."""
    if find_definition(spec, "select_rows") is MetricSpec:
        return None
    rows = [
        spec.select_rows(space, targets)
        for space, (_, targets) in zip(spaces, labels.split_tasks(), strict=True)
        if len(targets)
    ]
    return torch.cat(rows)
