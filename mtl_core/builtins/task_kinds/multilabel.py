"""The task kind `multi-label`: any number of labels per example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.checks import validate_unique
from mtl_core.builtins.task_kinds.classification import collect_classes
from mtl_core.plugins.spec_fields import MetricField
from mtl_core.plugins.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import LabelSpace, LabelStatistics, MultiLabelSpace
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "micro-f1"}, {"type": "exact-match"}]


class MultiLabel(TaskKindSpec):
    """Multi-label classification with one sigmoid per label. A label is a list, which may be empty."""

    type: Literal["multi-label"] = "multi-label"
    classes: list[str] | None = Field(default=None, min_length=1)
    """The labels; null means the labels of the training data, sorted."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The minimum probability to predict a label."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_names(self) -> MultiLabel:
        validate_unique("class", self.classes or [])
        validate_unique("metric", [metric.key() for metric in self.metrics])
        return self

    def build_space(self, label_statistics: LabelStatistics) -> MultiLabelSpace:
        """Return the space of the declared labels, or of those in the training data."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(
            self.classes or collect_classes(label_statistics, minimum=1), label_statistics.excluded_labels
        )

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.multilabel_runtime import MultiLabelKind

        return MultiLabelKind(space.classes, self.threshold, self.metrics, counts)
