"""The task kind `detect-and-classify`: detection of presence, and the class if present."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from mtl_core.builtins.task_kinds.class_task import collect_classes
from mtl_core.builtins.task_kinds.unique_names import UniqueNamesSpec
from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import LossField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.class_space import DetectionSpace
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [
        {"type": "restricted-accuracy", "name": "accuracy"},
        {"type": "detection-f1"},
        {"type": "detection-precision"},
        {"type": "detection-recall"},
        {"type": "joint-f1"},
        {"type": "confusion"},
    ]


class DetectAndClassify(UniqueNamesSpec):
    """Detection and classification with one head: whether something is present in the input, and its class.

    One label marks absence (`absent_label`); the others are classes. The head outputs the log-odds of presence and
    one logit per class; the loss is the negative log-likelihood of both predictions, a hurdle model (Cragg, 1971).
    Only examples with presence contribute to the loss of the class. A missing label is ignored.
    """

    type: Literal["detect-and-classify"] = "detect-and-classify"
    absent_label: str = "absent"
    """The label that marks absence."""
    classes: list[str] | None = Field(default=None, min_length=2)
    """Names of the classes without `absent_label`; null means the classes of the training data, sorted."""
    detection_weight: PositiveFloat = 1.0
    """Weight of the detection loss relative to the class loss."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The minimum probability to predict presence; `training.calibrate` replaces it with a tuned one."""
    loss: LossField = default_type("cross-entropy")
    """The loss function of the class, for examples with presence."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric. Class metrics treat the label `absent_label` as one more class."""

    @model_validator(mode="after")
    def _validate_absent_label(self) -> DetectAndClassify:
        if self.absent_label in (self.classes or []):
            raise ValueError(f"'{self.absent_label}' is the value of `absent_label`, so it cannot be a class too")
        return self

    def build_space(self, label_statistics: LabelStatistics) -> DetectionSpace:
        """Return the space of the declared classes, or of those in the labels.

        Raises:
            MtlError: If the mask excludes `absent_label`, or no label equals it.
        """
        from mtl_core.data.class_space import DetectionSpace

        if self.absent_label in label_statistics.excluded_labels:
            raise MtlError(f"the mask excludes '{self.absent_label}', which detection needs; use mask `observed`")
        names = collect_classes(label_statistics, minimum=1)
        if names and self.absent_label not in names:
            raise MtlError(
                f"no label is '{self.absent_label}', so detection cannot be learned (labels: {join_names(names)}); "
                "set `kind.absent_label` to the label that marks absence"
            )
        classes = self.classes or [name for name in names if name != self.absent_label]
        if len(classes) < 2:
            raise MtlError(f"classes other than '{self.absent_label}': {join_names(classes)}; a task needs 2 or more")
        return DetectionSpace(classes, self.absent_label, label_statistics.excluded_labels)

    def restore_space(self, state: Mapping[str, Any]) -> DetectionSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.class_space import DetectionSpace

        return DetectionSpace(state["classes"][:-1], state["classes"][-1], state["excluded"])

    def build_loss(self) -> nn.Module:
        """Build the loss of detection and class."""
        from mtl_core.builtins.task_kinds.runtime.detection import DetectionLoss

        return DetectionLoss(self.loss.build(), self.detection_weight)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.detection import DetectionKind

        return DetectionKind(
            space.classes, self.build_loss(), self.detection_weight, self.threshold, self.metrics, counts
        )
