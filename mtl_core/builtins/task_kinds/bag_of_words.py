"""The task kind `bag-of-words`: the set of words of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.self_supervised import SelfSupervisedSpec
from mtl_core.plugins.spec_fields import MetricField

if TYPE_CHECKING:
    from mtl_core.data.class_space import MultiLabelSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "micro-f1"}]


class BagOfWords(SelfSupervisedSpec):
    """Prediction of the set of words in the input, without their order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics, computed on the k most probable words for an input of k words; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> MultiLabelSpace:
        """Return the label space of the most frequent words."""
        from mtl_core.data.class_space import MultiLabelSpace

        return MultiLabelSpace(self.select_words(label_statistics))

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.class_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.bag_of_words import BagKind

        return BagKind(space.classes, self.metrics)
