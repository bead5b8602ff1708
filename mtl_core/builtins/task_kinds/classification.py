"""The task kinds `classification` and `token-tagging`: one of several classes per example or per token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.checks import validate_unique
from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, LossField, MetricField
from mtl_core.plugins.specs import Level, TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import ClassSpace, LabelSpace, LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "accuracy"}, {"type": "macro-f1"}, {"type": "confusion"}]


class _MulticlassSpec(TaskKindSpec):
    """Base class: the keys of both kinds."""

    classes: list[str] | None = Field(default=None, min_length=2)
    """Names of the classes, in the order of the outputs; null means the classes of the training data, sorted."""
    loss: LossField = default_type("cross-entropy")
    """The loss function."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_names(self) -> _MulticlassSpec:
        validate_unique("class", self.classes or [])
        validate_unique("metric", [metric.key() for metric in self.metrics])
        return self

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the declared classes, or of those in the labels."""
        from mtl_core.data.label_space import ClassSpace

        if self.classes is not None:
            return ClassSpace(self.classes, label_statistics.excluded_labels)
        return ClassSpace(collect_classes(label_statistics), label_statistics.excluded_labels)

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.class_runtime import ClassificationKind

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return ClassificationKind(space.classes, self.loss.build(), weights, self.metrics, counts)


class Classification(_MulticlassSpec):
    """One of several classes: softmax and cross entropy."""

    type: Literal["classification"] = "classification"


class TokenTagging(_MulticlassSpec):
    """Token classification, such as part-of-speech tagging; a label is a list with one tag per word.

    A missing tag is null in the list; an example without tags has no list.
    """

    type: Literal["token-tagging"] = "token-tagging"
    level: ClassVar[Level] = "token"


def collect_classes(label_statistics: LabelStatistics, minimum: int = 2) -> list[str]:
    """Return the classes in the labels, sorted.

    Raises:
        MtlError: If there are fewer than `minimum`.
    """
    from mtl_core.data.label_space import flatten_label

    names = sorted(
        {str(member) for label in label_statistics.all_labels for member in flatten_label(label)}
        - label_statistics.excluded_labels
    )
    if len(names) < minimum:
        raise MtlError(f"classes in the training labels: {join_names(names)}; a task needs {minimum} or more")
    return names
