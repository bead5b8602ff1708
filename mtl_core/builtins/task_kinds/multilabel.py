"""The task kind "any number of labels at once"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from mtl_core.builtins.task_kinds.checks import refuse_twice
from mtl_core.builtins.task_kinds.classification import found_classes
from mtl_core.config.seam_fields import MetricField
from mtl_core.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import FoundLabels, LabelSpace, MultiLabelSpace
    from mtl_core.training.kinds import TaskKind


def _default_metrics() -> Any:
    return [{"type": "micro-f1"}, {"type": "exact-match"}]


class MultiLabel(TaskKindSpec):
    """Any number of labels at once: a sigmoid each. A label is a list, an empty one if none fits."""

    type: Literal["multi-label"] = "multi-label"
    classes: list[str] | None = Field(default=None, min_length=1)
    """The labels; null takes those of the training data, sorted."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The probability from which on a label is predicted."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """What is measured; the first is the main one."""

    @model_validator(mode="after")
    def _distinct_names(self) -> MultiLabel:
        refuse_twice("class", self.classes or [])
        refuse_twice("metric", [metric.key() for metric in self.metrics])
        return self

    def space(self, found: FoundLabels) -> MultiLabelSpace:
        """The declared labels, or those found."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(self.classes or found_classes(found, at_least=1), found.excluded)

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """The labels of a saved run."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.multilabel_runtime import MultiLabelKind

        return MultiLabelKind(space.classes, self.threshold, self.metrics, counts)
