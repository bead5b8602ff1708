"""The task kind "one of several classes"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from mtl_core.config.seam_fields import ClassWeightsField, LossField, MetricField
from mtl_core.errors import MtlError
from mtl_core.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.corpus import Label
    from mtl_core.data.label_space import ClassSpace, LabelSpace
    from mtl_core.training.kinds import TaskKind


def _default_metrics() -> Any:
    return [{"type": "accuracy"}, {"type": "macro-f1"}, {"type": "confusion"}]


class Classification(TaskKindSpec):
    """One of several classes."""

    type: Literal["classification"] = "classification"
    classes: list[str] | None = Field(default=None, min_length=2)
    """Names of the classes, in the order of the outputs; null takes those of the training data, sorted."""
    loss: LossField = Field(default_factory=lambda: {"type": "cross-entropy"}, validate_default=True)
    """How wrong one output is."""
    class_weights: ClassWeightsField = Field(default_factory=lambda: {"type": "none"}, validate_default=True)
    """How classes are weighed against each other in the loss."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True)
    """What is measured."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Classification:
        for what, names in (("class", self.classes or []), ("metric", [metric.key() for metric in self.metrics])):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"the {what} '{twice[0]}' is listed twice")
        return self

    def space(self, labels: Iterable[Label], excluded: frozenset[str]) -> ClassSpace:
        """The declared classes, or those found."""
        from mtl_core.data.label_space import ClassSpace

        if self.classes is not None:
            return ClassSpace(self.classes, excluded)
        found = sorted({str(label) for label in labels} - excluded)
        if len(found) < 2:
            raise MtlError(f"only {len(found)} class in the training labels ({', '.join(found)}); a task needs two")
        return ClassSpace(found, excluded)

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """The classes of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.classification_kind import ClassificationKind
        from mtl_core.data.label_space import ClassSpace

        assert isinstance(space, ClassSpace)  # noqa: S101  made by this spec
        weights = self.class_weights.weights({name: counts.get(name, 0) for name in space.classes})
        return ClassificationKind(space.classes, self.loss.build(), weights, self.metrics, counts)
