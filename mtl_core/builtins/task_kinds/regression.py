"""The task kind `regression`: one or several numbers per example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

from mtl_core.builtins.task_kinds.unique_names import UniqueNamesSpec
from mtl_core.errors import MtlError
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import LossField, MetricField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.label_statistics import LabelStatistics
    from mtl_core.data.number_space import NumberSpace
    from mtl_core.nn.task_kind import TaskKind


def _default_metrics() -> Any:
    return [{"type": "mae"}, {"type": "rmse"}, {"type": "r2"}]


class RegressionSpec(UniqueNamesSpec):
    """Base class: the keys of both kinds."""

    standardise: bool = True
    """Standardise labels by the mean and deviation of the training labels, so that large values do not dominate."""
    loss: LossField = default_type("squared-error")
    """The loss function, computed on standardised outputs and labels."""
    metrics: list[MetricField] = Field(default_factory=_default_metrics, validate_default=True, min_length=1)
    """The metrics, in the units of the labels; the first is the main metric."""

    def restore_space(self, state: Mapping[str, Any]) -> NumberSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.number_space import NumberSpace

        return NumberSpace.from_state(state)

    def build_loss(self) -> nn.Module:
        """Build the loss that `loss` declares."""
        return self.loss.build()

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.regression import RegressionKind
        from mtl_core.data.number_space import NumberSpace

        assert isinstance(space, NumberSpace)  # noqa: S101  made by this spec
        return RegressionKind(space, self.build_loss(), self.metrics)


class Regression(RegressionSpec):
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
