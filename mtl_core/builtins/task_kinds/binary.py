"""The task kind `binary`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.class_task import ClassTaskSpec, collect_classes, default_metrics
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.class_space import ClassSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


class Binary(ClassTaskSpec):
    """Binary classification with one sigmoid."""

    type: Literal["binary"] = "binary"
    classes: list[str] | None = Field(default=None, min_length=2, max_length=2)
    """The two classes; null means the classes of the training data, sorted."""
    positive: str | None = None
    """The positive class, whose log-odds are the output; null means the second class."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_positive(self) -> Binary:
        if self.classes and self.positive and self.positive not in self.classes:
            raise ValueError(f"positive: '{self.positive}' is not one of the classes ({join_names(self.classes)})")
        return self

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the two classes, the positive class second.

        Raises:
            MtlError: If the labels have another number of classes, or lack the positive class.
        """
        from mtl_core.data.class_space import ClassSpace

        names = list(self.classes or collect_classes(label_statistics))
        if len(names) != 2:
            raise MtlError(f"{len(names)} classes in the training labels ({join_names(names)}); a binary task has two")
        if self.positive is not None:
            if self.positive not in names:
                hint = did_you_mean(self.positive, names)
                raise MtlError(f"kind.positive: '{self.positive}' is not a class{hint} (classes: {join_names(names)})")
            names = [name for name in names if name != self.positive] + [self.positive]
        return ClassSpace(names, label_statistics.excluded_labels)

    def build_loss(self) -> nn.Module:
        """Build the loss: binary cross entropy of the log-odds."""
        from mtl_core.builtins.task_kinds.runtime.binary import SigmoidLoss

        return SigmoidLoss()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.binary import BinaryKind

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return BinaryKind(space.classes, self.build_loss(), weights, self.metrics, counts)
