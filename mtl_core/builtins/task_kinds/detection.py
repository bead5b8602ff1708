"""The task kind "is there anything, and if so, which class"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from mtl_core.builtins.task_kinds.checks import refuse_twice
from mtl_core.builtins.task_kinds.classification import found_classes
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import LossField, MetricField
from mtl_core.errors import MtlError, listed
from mtl_core.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import DetectionSpace, FoundLabels, LabelSpace
    from mtl_core.training.kinds import TaskKind


def _default_metrics() -> Any:
    return [
        {"type": "restricted-accuracy", "name": "accuracy"},
        {"type": "detection-f1"},
        {"type": "detection-precision"},
        {"type": "detection-recall"},
        {"type": "joint-f1"},
        {"type": "confusion"},
    ]


class DetectAndClassify(TaskKindSpec):
    """Whether an input speaks of something at all, and if so, which class: one head, two questions.

    One label says that there is nothing (`nothing`); the others are classes. The head gives the log-odds that there
    is something, and a score a class; the loss is the negative log-likelihood of both answers, a hurdle model
    (Cragg, 1971). Classes are learned only where there is something. A missing label is neither, and counts for
    nothing.
    """

    type: Literal["detect-and-classify"] = "detect-and-classify"
    nothing: str = "absent"
    """The label that says that there is nothing to classify."""
    classes: list[str] | None = Field(default=None, min_length=2)
    """Names of the classes, `nothing` left out; null takes those of the training data, sorted."""
    detection_weight: PositiveFloat = 1.0
    """How much the loss of detection counts beside that of the class."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The probability from which on there is something; `training.calibrate` puts a better one in its place."""
    loss: LossField = default_type("cross-entropy")
    """How wrong the scores of the classes are, where there is something."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """What is measured; the first is the main one. Those of classes see the label `nothing` as a further class."""

    @model_validator(mode="after")
    def _distinct_names(self) -> DetectAndClassify:
        refuse_twice("class", self.classes or [])
        refuse_twice("metric", [metric.key() for metric in self.metrics])
        if self.nothing in (self.classes or []):
            raise ValueError(f"'{self.nothing}' is `nothing`, so it cannot be a class too")
        return self

    def space(self, found: FoundLabels) -> DetectionSpace:
        """The declared classes, or those found.

        Raises:
            MtlError: If `nothing` is left out by the mask, or no label says it.
        """
        from mtl_core.data.label_space import DetectionSpace

        if self.nothing in found.excluded:
            raise MtlError(
                f"the mask leaves '{self.nothing}' out, from which detection is learned; use mask `observed`"
            )
        names = found_classes(found, at_least=1)
        if names and self.nothing not in names:
            raise MtlError(
                f"no label says '{self.nothing}', so detection cannot be learned (labels: {listed(names)}); "
                "say with `kind.nothing` which one does"
            )
        classes = self.classes or [name for name in names if name != self.nothing]
        if len(classes) < 2:
            raise MtlError(f"classes beside '{self.nothing}': {listed(classes)}; a task needs 2 or more")
        return DetectionSpace(classes, self.nothing, found.excluded)

    def restore_space(self, state: Mapping[str, Any]) -> DetectionSpace:
        """The classes of a saved run."""
        from mtl_core.data.label_space import DetectionSpace

        return DetectionSpace(state["classes"][:-1], state["classes"][-1], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.detection_runtime import DetectionKind

        return DetectionKind(
            space.classes, self.loss.build(), self.detection_weight, self.threshold, self.metrics, counts
        )
