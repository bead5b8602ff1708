"""The task kind `ordinal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.class_task import ClassTaskSpec, collect_classes
from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import ClassWeightsField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.class_space import ClassSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _ordinal_metrics() -> Any:
    return [{"type": "accuracy"}, {"type": "rank-distance"}, {"type": "quadratic-kappa"}, {"type": "confusion"}]


class Ordinal(ClassTaskSpec):
    """Ordinal classification, such as star ratings, with one sigmoid per threshold (Frank and Hall, 2001)."""

    type: Literal["ordinal"] = "ordinal"
    classes: list[str] | None = Field(default=None, min_length=2)
    """The classes from lowest to highest; null means the classes of the data, which must then be numbers."""
    class_weights: ClassWeightsField = default_type("none")
    """Class weights in the loss."""
    metrics: list[MetricField] = Field(default_factory=_ordinal_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the space of the declared classes, or of the numbers in the labels, sorted.

        Raises:
            MtlError: If classes are not declared and are not numbers.
        """
        from mtl_core.data.class_space import ClassSpace

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

    def build_loss(self) -> nn.Module:
        """Build the loss: binary cross entropy of the thresholds."""
        from mtl_core.builtins.task_kinds.runtime.ordinal import ThresholdLoss

        return ThresholdLoss()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.ordinal import OrdinalKind

        weights = self.class_weights.compute_weights({name: counts.get(name, 0) for name in space.classes})
        return OrdinalKind(space.classes, self.build_loss(), weights, self.metrics, counts)
