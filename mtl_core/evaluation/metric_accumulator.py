"""Accumulate one metric of one task over batches of labels, without torchmetrics where its spec can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.errors import MtlError
from mtl_core.evaluation.scores import Value
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class MetricAccumulator:
    """The state of one metric of one task.

    A metric whose spec computes sums, or values from all labels, needs no torchmetrics, whose import takes seconds.
    Another metric is built at its first update.

    Args:
        spec: The metric.
        space: The label space of the task.
    """

    def __init__(self, spec: MetricSpec, space: LabelSpace) -> None:
        self._spec = spec
        self._space = space
        self._has_sums = has_sums(spec)
        self._has_values = has_task_values(spec)
        self._labels: list[GroupLabels] = []
        self._metric: torchmetrics.Metric | None = None
        self._n = 0
        self.sums: NDArray[np.float64] | None = None
        """`(sums,)`, float64: the sums of all labels so far; None for a metric without sums."""

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add outputs `(n, outputs)` and targets `(n, ...)`, in the form that metrics expect."""
        self._n += len(targets)
        sums = self._spec.compute_sums(self._space, outputs, targets) if self._has_sums else None
        if sums is not None:
            self.sums = sums if self.sums is None else self.sums + sums
            return
        self._has_sums = False
        if self._has_values:
            self._labels.append(GroupLabels(outputs, targets, torch.tensor([len(targets)])))
            return
        self._update_metric(outputs, targets)

    def _update_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        if self._metric is None:
            self._metric = _disable_sync(self._spec.build(self._space))
        self._metric.update(outputs, targets)

    def compute(self) -> Value:
        """Compute the metric over all labels so far; see `compute_value`."""
        if self._labels:
            labels = GroupLabels.merge(self._labels)
            values = self._spec.compute_task_values([self._space], labels)
            if values is not None:
                return convert_value(self._spec, values[0])
            self._has_values, self._labels = False, []
            self._update_metric(labels.outputs, labels.targets)
        if self._metric is not None:
            return compute_value(self._spec, self._metric, self._n)
        if self.sums is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(self._spec.compute_from_sums(self.sums))
        return convert_value(self._spec, value)


def compute_value(spec: MetricSpec, metric: torchmetrics.Metric, n: int) -> Value:
    """Compute a torchmetrics metric over n labels; None without labels, or if the value is undefined.

    Raises:
        MtlError: If the value is not one number although the spec declares it `scalar`.
    """
    if not n:
        return None
    value = convert_value(spec, np.asarray(metric.compute().tolist()))
    return _round_fraction(value, n) if spec.pooled and isinstance(value, float) else value


def has_sums(spec: MetricSpec) -> bool:
    """Return whether a metric is computed from its sums.

    A subclass that replaces `build` but inherits the sums is another metric than the one that the sums belong to.
    """
    sources = [find_definition(spec, name) for name in ("compute_sums", "compute_label_sums", "compute_from_sums")]
    defines_sums = any(source is not MetricSpec for source in sources[:2])
    return defines_sums and any(issubclass(source, find_definition(spec, "build")) for source in sources)


def has_task_values(spec: MetricSpec) -> bool:
    """Return whether a metric is computed from all labels by `compute_task_values`; see `has_sums` for subclasses."""
    source = find_definition(spec, "compute_task_values")
    return source is not MetricSpec and issubclass(source, find_definition(spec, "build"))


def find_definition(spec: MetricSpec, name: str) -> type:
    """Return the class that defines a method of a metric."""
    return next(cls for cls in type(spec).__mro__ if name in vars(cls))


def convert_value(spec: MetricSpec, value: NDArray[Any]) -> Value:
    """Convert the value of one task to a number, or to nested lists for a matrix; None if it is not finite.

    Raises:
        MtlError: If the value is not one number although the spec declares it `scalar`.
    """
    if value.ndim and spec.scalar:
        raise MtlError(
            f"metric '{spec.type}': returned a tensor of shape {value.shape}, but its `scalar` declares one number"
        )
    if value.ndim:
        # A matrix of counts consists of integers.
        matrix: Value = (value.astype(np.int64) if (value == np.round(value)).all() else value).tolist()
        return matrix
    return float(value) if np.isfinite(value) else None


def _disable_sync(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """Disable the synchronization of a metric over ranks: every rank evaluates all labels."""
    import torchmetrics

    for submetric in metric.modules():
        if isinstance(submetric, torchmetrics.Metric):
            submetric.distributed_available_fn = _is_distributed
    return metric


def _is_distributed() -> bool:
    return False


def _round_fraction(value: float, n: int) -> float:
    """Undo the float32 rounding of a fraction of n labels, so that equal results are equal numbers."""
    count = round(value * n)
    return count / n if abs(value * n - count) < 1e-6 * n else value
