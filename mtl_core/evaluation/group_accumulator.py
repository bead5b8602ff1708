"""Accumulate one metric over the labels of all tasks of a head group."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.label_space import LabelSpace
from mtl_core.evaluation.metric_accumulator import (
    MetricAccumulator,
    convert_value,
    find_definition,
    has_sums,
    has_task_values,
)
from mtl_core.evaluation.scores import Value
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec


class GroupAccumulator:
    """The state of one metric of all tasks of a head group.

    Args:
        spec: The metric.
        spaces: The label space of each task.
    """

    def __init__(self, spec: MetricSpec, spaces: Sequence[LabelSpace]) -> None:
        self._spec = spec
        self._spaces = spaces
        self._has_sums = has_task_sums(spec)
        self._counts = np.zeros(len(spaces), dtype=np.int64)
        self._labels: list[GroupLabels] = []
        self._sums: NDArray[np.float64] | None = None

    def update(self, labels: GroupLabels) -> bool:
        """Add labels, with outputs and targets in the form that metrics expect.

        Returns:
            Whether the metric supports these tasks together; if not, nothing is added.
        """
        sums = self._spec.compute_task_sums(self._spaces, labels) if self._has_sums else None
        if sums is not None:
            self._sums = sums if self._sums is None else self._sums + sums
        elif has_task_values(self._spec):
            self._labels.append(labels)
        else:
            return False
        self._counts += labels.counts.numpy()
        return True

    def compute(self) -> list[Value]:
        """Compute the metric of each task over all labels so far; None if it is undefined."""
        if self._sums is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.asarray(self._spec.compute_from_sums(self._sums))
        elif self._labels:
            labels = GroupLabels.merge(self._labels)
            task_values = self._spec.compute_task_values(self._spaces, labels)
            if task_values is None:
                return self._compute_separately(labels)
            values = task_values
        else:
            return [None] * len(self._spaces)
        if self._spec.scalar and values.ndim == 1:
            is_defined = np.isfinite(values) & (self._counts > 0)
            return [value if known else None for value, known in zip(values.tolist(), is_defined.tolist(), strict=True)]
        return [
            convert_value(self._spec, value) if n else None
            for value, n in zip(values, self._counts.tolist(), strict=True)
        ]

    def get_sums(self, task: int) -> NDArray[np.float64] | None:
        """Return the sums of one task; None without labels, or for a metric without sums."""
        return self._sums[task] if self._sums is not None and self._counts[task] else None

    def _compute_separately(self, labels: GroupLabels) -> list[Value]:
        values: list[Value] = []
        for space, (outputs, targets) in zip(self._spaces, labels.split_tasks(), strict=True):
            accumulator = MetricAccumulator(self._spec, space)
            if len(targets):
                accumulator.update(outputs, targets)
            values.append(accumulator.compute())
        return values


def supports_groups(spec: MetricSpec) -> bool:
    """Return whether a metric may compute several tasks at once, depending on their label spaces."""
    return has_task_sums(spec) or has_task_values(spec)


def has_task_sums(spec: MetricSpec) -> bool:
    """Return whether the sums of all tasks at once are those of the metric.

    As in `has_sums`, inherited sums may not belong to the sums of one task that a subclass defines.
    """
    if not has_sums(spec):
        return False
    source = find_definition(spec, "compute_task_sums")
    if source is MetricSpec:
        source = find_definition(spec, "compute_label_sums")
    return all(issubclass(source, find_definition(spec, name)) for name in ("compute_sums", "compute_label_sums"))
