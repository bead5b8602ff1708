"""The labels of a head group in the forms that metrics expect, for the network and for the baseline."""

from collections.abc import Sequence
from functools import cached_property

import torch

from mtl_core.data.fitted_task import FittedTask
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import TaskKind, require_class_logits
from mtl_core.plugins.specs import MetricSpec


def prepare_for_metric(
    kind: TaskKind, spec: MetricSpec, outputs: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Convert the outputs and targets of one task to the form that a metric expects.

    Args:
        kind: The kind of the task.
        spec: The metric.
        outputs: `(n, outputs)`.
        targets: `(n, ...)`.
    """
    if not spec.reads_class_logits:
        return kind.prepare_for_metrics(outputs, targets)
    return require_class_logits(kind, spec, outputs), targets


class GroupBaseline:
    """The baselines of the tasks of a head group: one row of outputs per task, the same for every label.

    Args:
        tasks: The tasks.
    """

    def __init__(self, tasks: Sequence[FittedTask]) -> None:
        self.is_defined = [task.kind.baseline is not None for task in tasks]
        self.kinds = [task.kind.without_calibration() if task.kind.calibration else task.kind for task in tasks]

    @cached_property
    def _task_outputs(self) -> torch.Tensor:
        """`(tasks, outputs)`; 0 for a task without a baseline."""
        rows = [
            kind.build_baseline_outputs(1) if is_defined else torch.zeros(1, kind.n_outputs)
            for kind, is_defined in zip(self.kinds, self.is_defined, strict=True)
        ]
        return torch.cat(rows)

    def predict(self, labels: GroupLabels) -> GroupLabels:
        """Return the labels with the outputs of the baselines."""
        return labels.replace(self._task_outputs[labels.task_indices])


class PreparedLabels:
    """The labels of a head group in the forms that metrics expect, each computed once for all metrics.

    Args:
        kinds: The kind of each task.
        baseline: The baselines of the tasks.
        labels: The labels; at least one.
    """

    def __init__(self, kinds: Sequence[TaskKind], baseline: GroupBaseline, labels: GroupLabels) -> None:
        self.labels = labels
        self._kinds, self._baseline = kinds, baseline

    def get_network(self, spec: MetricSpec) -> GroupLabels:
        """Return the labels with the outputs of the network, in the form that a metric expects."""
        if not spec.reads_class_logits:
            return self._network
        return self._network_logits

    def get_baseline(self, spec: MetricSpec) -> GroupLabels | None:
        """Return the labels with the outputs of the baselines; None if no task has a baseline."""
        if not any(self._baseline.is_defined):
            return None
        if not spec.reads_class_logits:
            return self._prepared_baseline
        return self._baseline_logits

    @cached_property
    def _network(self) -> GroupLabels:
        return prepare_group(self._kinds, self.labels)

    @cached_property
    def _network_logits(self) -> GroupLabels:
        return compute_class_logits(self._kinds, self.labels)

    @cached_property
    def _baseline_outputs(self) -> GroupLabels:
        return self._baseline.predict(self.labels)

    @cached_property
    def _prepared_baseline(self) -> GroupLabels:
        return prepare_group(self._baseline.kinds, self._baseline_outputs)

    @cached_property
    def _baseline_logits(self) -> GroupLabels:
        return compute_class_logits(self._baseline.kinds, self._baseline_outputs)


def prepare_group(kinds: Sequence[TaskKind], labels: GroupLabels) -> GroupLabels:
    """Convert the labels of all tasks of a head group to the form that metrics of predicted labels expect."""
    kind_class = type(kinds[0])
    # Not inherited: a subclass may prepare the outputs of a task differently.
    implementation = kind_class if "prepare_group_for_metrics" in vars(kind_class) else TaskKind
    return implementation.prepare_group_for_metrics(kinds, labels)


def compute_class_logits(kinds: Sequence[TaskKind], labels: GroupLabels) -> GroupLabels:
    """Convert the labels of all tasks of a head group to the form that metrics of probabilities expect."""
    kind_class = type(kinds[0])
    implementation = kind_class if "compute_group_class_logits" in vars(kind_class) else TaskKind
    logits = implementation.compute_group_class_logits(kinds, labels)
    if logits is None:
        raise TypeError(f"{kind_class.__name__} has no class logits")  # `fit_task` refuses such a metric
    return labels.replace(logits)
