"""One metric of one task, for the network and for the baseline."""

import torch

from mtl_core.data.label_space import LabelSpace
from mtl_core.evaluation.metric_accumulator import MetricAccumulator
from mtl_core.evaluation.scores import MetricSums, MetricValue
from mtl_core.plugins.specs import MetricSpec


class TaskMetric:
    """One metric of one task, for the network and for the baseline.

    Args:
        spec: The metric.
        space: The label space of the task.
        has_baseline: Whether the task has a baseline.
    """

    def __init__(self, spec: MetricSpec, space: LabelSpace, has_baseline: bool) -> None:
        self._spec = spec
        self._network = MetricAccumulator(spec, space)
        self._baseline = MetricAccumulator(spec, space) if has_baseline else None
        self._n = 0

    def update(self, outputs: torch.Tensor, targets: torch.Tensor, baseline_outputs: torch.Tensor | None) -> None:
        """Add labels that the metric uses, in the form that metrics expect.

        Args:
            outputs: `(n, ...)`: the outputs of the network.
            targets: `(n, ...)`.
            baseline_outputs: `(n, ...)`: the outputs of the baseline; ignored for a task without one.
        """
        if not len(targets):
            return
        self._n += len(targets)
        self._network.update(outputs, targets)
        if self._baseline is not None and baseline_outputs is not None:
            self._baseline.update(baseline_outputs, targets)

    def compute(self) -> MetricValue:
        """Compute the metric over all labels so far."""
        spec = self._spec
        value = self._network.compute()
        baseline = self._baseline.compute() if self._baseline is not None else None
        return MetricValue(
            value, self._n, baseline, spec.pooled, spec.scalar, spec.higher_is_better, self._get_sums_to_pool()
        )

    def _get_sums_to_pool(self) -> MetricSums | None:
        if not self._spec.pooled_by_sums or self._network.sums is None:
            return None
        return MetricSums(self._spec, self._network.sums, self._baseline.sums if self._baseline is not None else None)
