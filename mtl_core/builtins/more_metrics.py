"""Metrics for multi-label tasks and for regression, built on torchmetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.number_space import NumberSpace

INDICATOR_THRESHOLD = 0.5
"""Threshold above which an indicator is positive."""


class MicroF1(MetricSpec):
    """Micro-averaged F1 over all labels of all examples, for multi-label tasks.

    It is undefined if no example has a label and no label is predicted.
    """

    type: Literal["micro-f1"] = "micro-f1"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro F1 of indicators."""
        from mtl_core.builtins.metric_modules import IndicatorF1

        _count_classes(space, self)
        return IndicatorF1(validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return true positives, false positives and false negatives per example: `(n, 3)`, float64."""
        from mtl_core.builtins.metric_sums import compute_confusion_counts

        counts = compute_confusion_counts(outputs > INDICATOR_THRESHOLD, targets).reshape(len(targets), 3, -1)
        return counts.sum(dim=2)

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute F1 from the summed counts."""
        from mtl_core.builtins.metric_sums import compute_f1

        return compute_f1(sums)[..., 0]


class ExactMatch(MetricSpec):
    """Fraction of examples whose predicted set of labels equals the true set."""

    type: Literal["exact-match"] = "exact-match"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build exact match of indicators."""
        from torchmetrics.classification import MultilabelExactMatch

        return MultilabelExactMatch(_count_classes(space, self), validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each example matches exactly, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import append_count

        return append_count(((outputs > INDICATOR_THRESHOLD) == (targets > 0)).all(dim=1))


class _RegressionMetric(MetricSpec):
    """Base class of regression metrics. Tasks have different units, so these metrics are not pooled."""

    pooled: ClassVar[bool] = False

    def _require_number_space(self, space: LabelSpace) -> NumberSpace:
        from mtl_core.data.number_space import NumberSpace

        if not isinstance(space, NumberSpace):
            raise MtlError(f"the metric '{self.type}' is for tasks whose labels are numbers")
        return space


class MAE(_RegressionMetric):
    """Mean absolute error, in the units of the labels."""

    type: Literal["mae"] = "mae"
    higher_is_better: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean over all numbers of all labels."""
        from mtl_core.builtins.metric_modules import MeanError

        self._require_number_space(space)
        return MeanError(squared=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the summed absolute differences per label, and the count of its numbers: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import compute_error_sums

        return compute_error_sums(outputs, targets, squared=False)


class RMSE(_RegressionMetric):
    """Root mean squared error, in the units of the labels."""

    type: Literal["rmse"] = "rmse"
    higher_is_better: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the root mean square over all numbers of all labels."""
        from mtl_core.builtins.metric_modules import MeanError

        self._require_number_space(space)
        return MeanError(squared=True)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the summed squared differences per label, and the count of its numbers: `(n, 2)`, float64."""
        from mtl_core.builtins.metric_sums import compute_error_sums

        return compute_error_sums(outputs, targets, squared=True)

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the square root of the mean."""
        root: NDArray[np.float64] = super().compute_from_sums(sums) ** 0.5
        return root


class R2(_RegressionMetric):
    """Coefficient of determination (R²); undefined for fewer than two labels, or if all labels are equal.

    For several outputs, the mean over the outputs.
    """

    type: Literal["r2"] = "r2"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build R², computed per output and then averaged."""
        from mtl_core.builtins.metric_modules import R2Score

        return R2Score(self._require_number_space(space).training_mean.tolist())


def _count_classes(space: LabelSpace, metric: MetricSpec) -> int:
    from mtl_core.data.label_space import MultiLabelSpace

    if not isinstance(space, MultiLabelSpace):
        raise MtlError(f"the metric '{metric.type}' is for tasks with any number of labels")
    return len(space.classes)
