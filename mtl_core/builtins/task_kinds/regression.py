"""The task kinds `regression` and `token-regression`: numeric labels per example or per token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from mtl_core.builtins.task_kinds.checks import validate_unique
from mtl_core.errors import MtlError
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import LossField, MetricField
from mtl_core.plugins.specs import Level, TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import LabelSpace, LabelStatistics
    from mtl_core.data.number_space import NumberSpace
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "mae"}, {"type": "rmse"}, {"type": "r2"}]


class _RegressionSpec(TaskKindSpec):
    """Base class: the keys of both kinds."""

    standardise: bool = True
    """Standardise labels by the mean and deviation of the training labels, so that large values do not dominate."""
    loss: LossField = default_type("squared-error")
    """The loss function, computed on standardised outputs and labels."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics, in the units of the labels; the first is the main metric."""

    @model_validator(mode="after")
    def _validate_names(self) -> _RegressionSpec:
        validate_unique("metric", [metric.key() for metric in self.metrics])
        return self

    def restore_space(self, state: Mapping[str, Any]) -> NumberSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.number_space import NumberSpace

        return NumberSpace.from_state(state)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.regression_runtime import RegressionKind
        from mtl_core.data.number_space import NumberSpace

        assert isinstance(space, NumberSpace)  # noqa: S101  made by this spec
        return RegressionKind(space, self.loss.build(), self.metrics)


class Regression(_RegressionSpec):
    """Regression to one or several numbers, with one linear output per number."""

    type: Literal["regression"] = "regression"
    outputs: PositiveInt = 1
    """Numbers per label; with more than one, a label is a list, in which null marks a missing number."""

    def build_space(self, label_statistics: LabelStatistics) -> NumberSpace:
        """Fit the scale to the training labels.

        Raises:
            MtlError: If a label is not a number, or a list of another length.
        """
        from mtl_core.data.number_space import NumberSpace

        space = NumberSpace.fit(
            label_statistics.training_labels, self.outputs > 1, self.standardise, label_statistics.locations
        )
        if len(space.mean) != self.outputs:
            raise MtlError(f"numbers per label: found {len(space.mean)}, but kind.outputs is {self.outputs}")
        return space


class TokenRegression(_RegressionSpec):
    """Regression per token, such as the logarithm of word frequency; a label is a list with one number per word."""

    type: Literal["token-regression"] = "token-regression"
    level: ClassVar[Level] = "token"

    def build_space(self, label_statistics: LabelStatistics) -> NumberSpace:
        """Fit the scale to the numbers of all training tokens."""
        from mtl_core.data.number_space import NumberSpace, parse_numbers

        locations = (
            label_statistics.locations
            if len(label_statistics.locations)
            else ["a training label"] * len(label_statistics.training_labels)
        )
        rows = (
            parse_numbers(label, locations, index) for index, label in enumerate(label_statistics.training_labels)
        )
        numbers = [number for row in rows for number in row if number == number]
        return NumberSpace.fit(numbers, vector=False, standardise=self.standardise)
