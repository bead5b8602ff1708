"""The task kinds `binary` and `ordinal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.checks import validate_unique
from mtl_core.builtins.task_kinds.classification import collect_classes
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, MetricField
from mtl_core.plugins.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import ClassSpace, LabelSpace, LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _binary_metrics() -> Any:
    return [{"type": "accuracy"}, {"type": "macro-f1"}, {"type": "confusion"}]


def _ordinal_metrics() -> Any:
    return [{"type": "accuracy"}, {"type": "rank-distance"}, {"type": "quadratic-kappa"}, {"type": "confusion"}]


class Binary(TaskKindSpec):
    """Binary classification with one sigmoid."""

    type: Literal["binary"] = "binary"
    classes: list[str] | None = Field(default=None, min_length=2, max_length=2)
    """The two classes; null means the classes of the training data, sorted."""
    positive: str | None = None
    """The positive class, whose log-odds are the output; null means the second class."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=_binary_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_names(self) -> Binary:
        validate_unique("class", self.classes or [])
        validate_unique("metric", [metric.key() for metric in self.metrics])
        if self.classes and self.positive and self.positive not in self.classes:
            raise ValueError(f"positive: '{self.positive}' is not one of the classes ({join_names(self.classes)})")
        return self

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the two classes, the positive class second.

        Raises:
            MtlError: If the labels have another number of classes, or lack the positive class.
        """
        from mtl_core.data.label_space import ClassSpace

        names = list(self.classes or collect_classes(label_statistics))
        if len(names) != 2:
            raise MtlError(
                f"{len(names)} classes in the training labels ({join_names(names)}); a binary task has two"
            )
        if self.positive is not None:
            if self.positive not in names:
                hint = did_you_mean(self.positive, names)
                raise MtlError(
                    f"kind.positive: '{self.positive}' is not a class{hint} (classes: {join_names(names)})"
                )
            names = [name for name in names if name != self.positive] + [self.positive]
        return ClassSpace(names, label_statistics.excluded_labels)

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.class_runtime import BinaryKind
        from mtl_core.builtins.task_kinds.losses import SigmoidLoss

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return BinaryKind(space.classes, SigmoidLoss(), weights, self.metrics, counts)


class Ordinal(TaskKindSpec):
    """Ordinal classification, such as star ratings, with one sigmoid per threshold (Frank and Hall, 2001)."""

    type: Literal["ordinal"] = "ordinal"
    classes: list[str] | None = Field(default=None, min_length=2)
    """The classes from lowest to highest; null means the classes of the data, which must then be numbers."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=_ordinal_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_names(self) -> Ordinal:
        validate_unique("class", self.classes or [])
        validate_unique("metric", [metric.key() for metric in self.metrics])
        return self

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the declared classes, or of the numbers in the labels, sorted.

        Raises:
            MtlError: If classes are not declared and are not numbers.
        """
        from mtl_core.data.label_space import ClassSpace

        if self.classes is not None:
            return ClassSpace(self.classes, label_statistics.excluded_labels)
        names = collect_classes(label_statistics)
        try:
            return ClassSpace(sorted(names, key=float), label_statistics.excluded_labels)
        except ValueError:
            raise MtlError(
                f"the classes are not numbers ({join_names(names)}), so their order must be declared: "
                "kind: {type: ordinal, classes: [lowest, …, highest]}"
            ) from None

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.class_runtime import OrdinalKind
        from mtl_core.builtins.task_kinds.losses import ThresholdLoss

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return OrdinalKind(space.classes, ThresholdLoss(), weights, self.metrics, counts)
