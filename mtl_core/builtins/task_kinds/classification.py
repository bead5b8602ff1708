"""The task kind `classification`: one of several classes per example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.class_task import ClassTaskSpec, collect_classes, default_metrics
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, LossField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.class_space import ClassSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


class MulticlassSpec(ClassTaskSpec):
    """Base class: the keys of both kinds."""

    classes: list[str] | None = Field(default=None, min_length=2)
    """Names of the classes, in the order of the outputs; null means the classes of the training data, sorted."""
    loss: LossField = default_type("cross-entropy")
    """The loss function."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the declared classes, or of those in the labels."""
        from mtl_core.data.class_space import ClassSpace

        if self.classes is not None:
            return ClassSpace(self.classes, label_statistics.excluded_labels)
        return ClassSpace(collect_classes(label_statistics), label_statistics.excluded_labels)

    def build_loss(self) -> nn.Module:
        """Build the loss that `loss` declares."""
        return self.loss.build()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.classification import ClassificationKind

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return ClassificationKind(space.classes, self.build_loss(), weights, self.metrics, counts)


class Classification(MulticlassSpec):
    """One of several classes: softmax and cross entropy."""

    type: Literal["classification"] = "classification"
