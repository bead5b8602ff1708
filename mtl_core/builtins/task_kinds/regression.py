"""The task kinds whose labels are numbers, for examples and for tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from mtl_core.builtins.task_kinds.checks import refuse_twice
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import LossField, MetricField
from mtl_core.errors import MtlError
from mtl_core.specs import Level, TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import FoundLabels, LabelSpace
    from mtl_core.data.number_space import NumberSpace
    from mtl_core.training.kinds import TaskKind


def _default_metrics() -> Any:
    return [{"type": "mae"}, {"type": "rmse"}, {"type": "r2"}]


class _Numbers(TaskKindSpec):
    """What both say."""

    standardise: bool = True
    """Learn numbers of mean 0 and deviation 1 (of the training labels), so that large ones do not dominate."""
    loss: LossField = default_type("squared-error")
    """How wrong one output is; outputs and labels are standardised."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """What is measured, in the labels' own units; the first is the main one."""

    @model_validator(mode="after")
    def _distinct_names(self) -> _Numbers:
        refuse_twice("metric", [metric.key() for metric in self.metrics])
        return self

    def restore_space(self, state: Mapping[str, Any]) -> NumberSpace:
        """The scale of a saved run."""
        from mtl_core.data.number_space import NumberSpace

        return NumberSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.regression_runtime import RegressionKind
        from mtl_core.data.number_space import NumberSpace

        assert isinstance(space, NumberSpace)  # noqa: S101  made by this spec
        return RegressionKind(space, self.loss.build(), self.metrics)


class Regression(_Numbers):
    """A number, or a list of them: a linear output each."""

    type: Literal["regression"] = "regression"
    outputs: PositiveInt = 1
    """How many numbers a label holds; more than one makes it a list. A missing one is null in the list."""

    def space(self, found: FoundLabels) -> NumberSpace:
        """Learn the scale from the training labels.

        Raises:
            MtlError: If a label is no number, or a list of another length.
        """
        from mtl_core.data.number_space import NumberSpace

        space = NumberSpace.learned(found.training, self.outputs > 1, self.standardise, found.origins)
        if len(space.mean) != self.outputs:
            raise MtlError(f"numbers in a label: found {len(space.mean)}, but kind.outputs says {self.outputs}")
        return space


class TokenRegression(_Numbers):
    """A number for each word, such as the logarithm of its frequency; a label is a list, a number a word."""

    type: Literal["token-regression"] = "token-regression"
    level: ClassVar[Level] = "token"

    def space(self, found: FoundLabels) -> NumberSpace:
        """Learn the scale from the numbers of all training tokens."""
        from mtl_core.data.number_space import NumberSpace, number_row

        origins = found.origins if len(found.origins) else ["a training label"] * len(found.training)
        rows = (number_row(label, origins, place) for place, label in enumerate(found.training))
        flat = [number for row in rows for number in row if number == number]
        return NumberSpace.learned(flat, vector=False, standardise=self.standardise)
