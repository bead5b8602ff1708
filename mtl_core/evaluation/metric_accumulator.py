"""Accumulate one metric over batches of labels, from sums where its spec provides them, else with torchmetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError
from mtl_core.evaluation.scores import Value
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torch
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class MetricAccumulator:
    """The state of one metric of one task.

    A metric whose spec computes sums needs no torchmetrics, whose import takes seconds. Another metric is built at its
    first update.

    Args:
        spec: The metric.
        space: The label space of the task.
    """

    def __init__(self, spec: MetricSpec, space: LabelSpace) -> None:
        self._spec = spec
        self._space = space
        self._has_sums = has_sums(spec)
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
        if self._metric is None:
            self._metric = _disable_sync(self._spec.build(self._space))
        self._metric.update(outputs, targets)

    def compute(self) -> Value:
        """Compute the metric over all labels so far; see `compute_value`."""
        if self._metric is not None:
            return compute_value(self._spec, self._metric, self._n)
        if self.sums is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(self._spec.compute_from_sums(self.sums))
        return _convert_value(self._spec, value)


def compute_value(spec: MetricSpec, metric: torchmetrics.Metric, n: int) -> Value:
    """Compute a torchmetrics metric over n labels; None without labels, or if the value is undefined.

    Raises:
        MtlError: If the value is not one number although the spec declares it `scalar`.
    """
    if not n:
        return None
    value = _convert_value(spec, np.asarray(metric.compute().tolist()))
    return _round_fraction(value, n) if spec.pooled and isinstance(value, float) else value


def has_sums(spec: MetricSpec) -> bool:
    """Return whether a metric is computed from its sums.

    A subclass that replaces `build` but inherits the sums is another metric than the one that the sums belong to.
    """
    sources = [
        _find_definition(type(spec), name) for name in ("compute_sums", "compute_label_sums", "compute_from_sums")
    ]
    defines_sums = any(source is not MetricSpec for source in sources[:2])
    return defines_sums and any(issubclass(source, _find_definition(type(spec), "build")) for source in sources)


def _find_definition(spec_class: type[MetricSpec], name: str) -> type:
    return next(cls for cls in spec_class.__mro__ if name in vars(cls))


def _convert_value(spec: MetricSpec, value: NDArray[Any]) -> Value:
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
