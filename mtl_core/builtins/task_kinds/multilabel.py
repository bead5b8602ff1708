"""The task kind `multi-label`: any number of labels per example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.class_task import collect_classes
from mtl_core.builtins.task_kinds.unique_names import UniqueNamesSpec
from mtl_core.plugins.spec_fields import MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.class_space import MultiLabelSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "micro-f1"}, {"type": "exact-match"}]


class MultiLabel(UniqueNamesSpec):
    """Multi-label classification with one sigmoid per label. A label is a list, which may be empty."""

    type: Literal["multi-label"] = "multi-label"
    classes: list[str] | None = Field(default=None, min_length=1)
    """The labels; null means the labels of the training data, sorted."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The minimum probability to predict a label."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> MultiLabelSpace:
        """Return the space of the declared labels, or of those in the training data."""
        from mtl_core.data.class_space import MultiLabelSpace

        return MultiLabelSpace(
            self.classes or collect_classes(label_statistics, minimum=1), label_statistics.excluded_labels
        )

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.class_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build_loss(self) -> nn.Module:
        """Build the loss: binary cross entropy of the labels."""
        from mtl_core.builtins.task_kinds.runtime.multilabel import IndicatorLoss

        return IndicatorLoss()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.multilabel import MultiLabelKind

        return MultiLabelKind(space.classes, self.build_loss(), self.threshold, self.metrics, counts)
