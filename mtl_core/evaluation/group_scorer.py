"""The metrics of the tasks of a head group."""

import torch

from mtl_core.data.task_groups import TaskGroup
from mtl_core.evaluation.group_metric import GroupMetric
from mtl_core.evaluation.label_buffer import LabelBuffer
from mtl_core.evaluation.prepared_labels import GroupBaseline, PreparedLabels
from mtl_core.evaluation.scores import TaskScore

MAX_BUFFERED_VALUES = 2_000_000
"""Number of output values that a head group buffers before it updates its metrics."""


class GroupScorer:
    """The metrics of the tasks of a head group. Labels are buffered, so that metrics are updated with large batches.

    Args:
        group: The head group. The kinds of its tasks have the same metrics.
    """

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._kinds = [task.kind for task in group.tasks]
        self._baseline = GroupBaseline(group.tasks)
        self._buffer = LabelBuffer()
        self._metrics = [GroupMetric(spec, group.tasks) for spec in self._kinds[0].metrics]

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add a batch.

        Args:
            outputs: `(batch, tasks, outputs)`; `(batch, tasks, length, outputs)` per token or pixel.
            targets: `(batch, tasks, ...)`.
        """
        self._buffer.add(outputs, targets, self._group.mask(targets))
        if self._buffer.n_values > MAX_BUFFERED_VALUES:
            self._flush()

    def _flush(self) -> None:
        labels = self._buffer.take_labels()
        if labels is None:
            return
        prepared = PreparedLabels(self._kinds, self._baseline, labels)
        for metric in self._metrics:
            metric.update(prepared)

    def compute(self) -> list[TaskScore]:
        """Compute the scores of each task over all batches so far."""
        self._flush()
        values = [metric.compute() for metric in self._metrics]
        keys = [metric.spec.key() for metric in self._metrics]
        # The number of labels of a task is that of its main metric, the first one.
        return [
            TaskScore(task_values[0].n, dict(zip(keys, task_values, strict=True)))
            for task_values in zip(*values, strict=True)
        ]
