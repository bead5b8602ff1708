"""Metrics for lists of labels and for numbers, from torchmetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.errors import MtlError
from mtl_core.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.number_space import NumberSpace

HALF = 0.5
"""What an indicator is cut at."""


class MicroF1(MetricSpec):
    """F1 over all labels of all examples together, for tasks with any number of labels.

    It is undefined where no example has a label and none was predicted.
    """

    type: Literal["micro-f1"] = "micro-f1"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Micro F1 of indicators."""
        from mtl_core.builtins.metric_modules import IndicatorF1

        _lists(space, self)
        return IndicatorF1(validate_args=False)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Hits, false alarms and misses of an example."""
        from mtl_core.builtins.metric_sums import confused

        each = confused(outputs > HALF, targets).reshape(len(targets), 3, -1)
        return each.sum(dim=2)

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of all together."""
        from mtl_core.builtins.metric_sums import f1_scores

        return f1_scores(sums)[..., 0]


class ExactMatch(MetricSpec):
    """Share of examples whose labels were all predicted, and no other."""

    type: Literal["exact-match"] = "exact-match"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Exact match of indicators."""
        from torchmetrics.classification import MultilabelExactMatch

        return MultilabelExactMatch(_lists(space, self), validate_args=False)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """A hit or none."""
        from mtl_core.builtins.metric_sums import counted

        return counted(((outputs > HALF) == (targets > 0)).all(dim=1))


class _OfNumbers(MetricSpec):
    """What metrics of numbers have in common: tasks have different units, so they are not pooled."""

    pooled: ClassVar[bool] = False

    def _numbers(self, space: LabelSpace) -> NumberSpace:
        from mtl_core.data.number_space import NumberSpace

        if not isinstance(space, NumberSpace):
            raise MtlError(f"the metric '{self.type}' is for tasks whose labels are numbers")
        return space


class MAE(_OfNumbers):
    """Mean absolute error, in the labels' own units."""

    type: Literal["mae"] = "mae"
    higher_is_better: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Over all numbers of all labels."""
        from mtl_core.builtins.metric_modules import MeanError

        self._numbers(space)
        return MeanError(squared=False)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Differences, and how many there are."""
        from mtl_core.builtins.metric_sums import differences

        return differences(outputs, targets, squared=False)


class RMSE(_OfNumbers):
    """Root of the mean squared error, in the labels' own units."""

    type: Literal["rmse"] = "rmse"
    higher_is_better: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Over all numbers of all labels."""
        from mtl_core.builtins.metric_modules import MeanError

        self._numbers(space)
        return MeanError(squared=True)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Squared differences, and how many there are."""
        from mtl_core.builtins.metric_sums import differences

        return differences(outputs, targets, squared=True)

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The root of their mean."""
        root: NDArray[np.float64] = super().of_sums(sums) ** 0.5
        return root


class R2(_OfNumbers):
    """Share of the labels' variance that is explained; undefined for fewer than two labels, or equal ones.

    Of several outputs, the mean of their shares.
    """

    type: Literal["r2"] = "r2"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """For each output by itself."""
        from mtl_core.builtins.metric_modules import ExplainedShare

        return ExplainedShare(self._numbers(space).typical.tolist())


def _lists(space: LabelSpace, metric: MetricSpec) -> int:
    from mtl_core.data.label_space import MultiLabelSpace

    if not isinstance(space, MultiLabelSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with any number of labels")
    return len(space.classes)
