"""Specs of tasks: task kinds, losses, loss masks, class weights, metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_core.errors import MtlError
from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Level, Spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray
    from torch import nn

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.data.loss_mask import LossMask
    from mtl_core.nn.group_labels import GroupLabels
    from mtl_core.nn.task_kind import TaskKind


@spec_base("task_kinds")
class TaskKindSpec(Spec):
    """Spec of a kind of task: label space, loss, decoding, metrics."""

    level: ClassVar[Level] = "example"
    """Whether there is one label per example, per token, or per pixel of an image."""
    reads_inputs: ClassVar[bool] = False
    """Whether labels are derived from the inputs, so that no label column is needed."""

    @abstractmethod
    def build_space(self, label_statistics: LabelStatistics) -> LabelSpace:
        """Build the label space from the declaration, or from the labels of the data.

        Raises:
            MtlError: If the labels do not fit a task of this kind.
        """

    @abstractmethod
    def restore_space(self, state: Mapping[str, Any]) -> LabelSpace:
        """Restore the label space from the result of `LabelSpace.state`."""

    @abstractmethod
    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time object of the task: loss, output width, decoding, metrics.

        Args:
            space: The label space.
            counts: The number of training labels of each class, without masked labels; empty for numbers.
        """

    def build_loss(self) -> nn.Module:
        """Build the loss, unreduced, from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.

        `MaskedLosses` uses it in custom training loops; kinds without it (the default) are refused there.

        Raises:
            MtlError: If the kind has no loss outside of a run.
        """
        raise MtlError(f"the task kind '{self.type}' has no loss outside of a run")


@spec_base("losses")
class LossSpec(Spec):
    """Spec of a loss of each output, unreduced."""

    @abstractmethod
    def build(self) -> nn.Module:
        """Build a module from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`, unreduced."""


@spec_base("loss_masks")
class LossMaskSpec(Spec):
    """Spec of a loss mask, which selects the labels that count."""

    def list_excluded_labels(self) -> frozenset[str]:
        """Return the labels that are never a class of a task with this mask."""
        return frozenset()

    @abstractmethod
    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Build a function from targets `(batch, tasks, ...)` to a boolean tensor `(batch, tasks)`.

        For tasks that label tokens or pixels, the mask is `(batch, tasks, length)`: one entry per token or pixel.

        Args:
            spaces: The label space of each task, in the order of the targets' columns.
        """


@spec_base("class_weights")
class ClassWeightsSpec(Spec):
    """Spec of the weights of a task's classes in its loss."""

    @abstractmethod
    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        """Return one weight per class.

        Args:
            counts: The number of training labels of each class, without masked labels.
        """


@spec_base("metrics")
class MetricSpec(Spec):
    """Spec of a metric of a task: a torchmetrics metric, and where possible the sums that it is computed from.

    A run computes a metric with sums without torchmetrics. It scores all tasks of a head group at once if
    `compute_task_sums` or `compute_task_values` supports it, and otherwise one task at a time.
    """

    pooled: ClassVar[bool] = True
    """Whether tasks are pooled by the mean weighted with their label counts (valid for accuracies)."""
    pooled_by_sums: ClassVar[bool] = False
    """Whether tasks are pooled by adding up the sums of `compute_sums` (micro averages)."""
    higher_is_better: ClassVar[bool] = True
    """Whether a higher value is better, for the selection of the best epoch."""
    scalar: ClassVar[bool] = True
    """Whether the value is one number, which has a column in tables."""
    worst_value: ClassVar[float | None] = None
    """The value that selects the epoch where predictions leave the metric undefined; None if values are unbounded."""
    ranks_pairs: ClassVar[bool] = False
    """Whether it is the probability that a label of the second class has a higher logit than one of the first, as
    ROC-AUC is; comparisons then use closed forms."""
    reads_class_logits: ClassVar[bool] = False
    """Whether `outputs` are the logits `(n, classes)` whose softmax is the calibrated probability of each class
    (`TaskKind.compute_class_logits`), instead of outputs for the predicted label (`TaskKind.prepare_for_metrics`)."""

    def key(self) -> str:
        """Return the name of the metric in `metrics.json` and in tables."""
        return self.type.replace("-", "_")

    def select_rows(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        """Return a mask `(n,)` of the rows of the labelled targets `(n, ...)` that it uses; by default all rows."""
        import torch

        return torch.ones(len(targets), dtype=torch.bool, device=targets.device)

    def check_space(self, space: LabelSpace) -> None:
        """Check that the metric supports a label space; by default, build it.

        Raises:
            MtlError: If it does not.
        """
        self.build(space)

    @abstractmethod
    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build a metric that is updated with outputs `(n, outputs)` and targets `(n,)`."""

    def compute_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> NDArray[np.float64] | None:
        """Compute the sums over labels that the metric is a function of; by default those of `compute_label_sums`.

        A metric may override it where one row of sums per label would be large, such as a confusion matrix.

        Args:
            space: The label space.
            outputs: The outputs `(n, outputs)`, as in the metric's `update`.
            targets: The targets `(n,)`, as in the metric's `update`.

        Returns:
            `(sums,)`, float64; None if the metric is not a function of sums. Then the metric itself computes the value.
        """
        label_sums = self.compute_label_sums(space, outputs, targets)
        if label_sums is None:
            return None
        sums: NDArray[np.float64] = label_sums.double().sum(dim=0).numpy()
        return sums

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Compute each label's contribution to the sums behind the metric, for influences in comparisons.

        Args:
            space: The label space.
            outputs: The outputs `(n, outputs)`, as in the metric's `update`.
            targets: The targets `(n,)`, as in the metric's `update`.

        Returns:
            `(n, sums)`, from which `compute_from_sums` computes the value; None (the default) if the metric is not
            a function of sums. Then the metric itself computes the value without each group of examples.
        """
        return None

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64] | None:
        """Compute the sums of all tasks of a head group at once; by default from `compute_label_sums`.

        The default supports only tasks with equal label spaces. A metric that uses no more of a label space than its
        number of classes may override it with `labels.sum_by_task(self.compute_label_sums(spaces[0], ...))`.

        Args:
            spaces: The label space of each task; all have equally many classes.
            labels: The labels of all tasks, outputs and targets as in the metric's `update`.

        Returns:
            `(tasks, sums)`, float64, equal to `compute_sums` of each task; zeros for a task without labels. None if
            each task has to be computed separately.
        """
        first = spaces[0]
        if any(type(space) is not type(first) or space.state() != first.state() for space in spaces[1:]):
            return None
        label_sums = self.compute_label_sums(first, labels.outputs, labels.targets)
        return None if label_sums is None else labels.sum_by_task(label_sums)

    def compute_task_values(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64] | None:
        """Compute the value of all tasks of a head group at once, for a metric that is not a function of sums.

        Args:
            spaces: The label space of each task.
            labels: All labels of all tasks, outputs and targets as in the metric's `update`.

        Returns:
            `(tasks,)`, float64; NaN where the metric is undefined. None (the default) if the metric computes each
            task separately, with torchmetrics.
        """
        return None

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the metric from sums over labels; by default the first sum divided by the second, a mean.

        Args:
            sums: Shape `(..., sums)`.

        Returns:
            Shape `(...)`; NaN where the metric is undefined. For a metric that is not `scalar`, a matrix.
        """
        quotient: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
        return quotient
