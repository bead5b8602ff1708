"""Mean absolute error and root mean squared error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_number_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class _MeanErrorMetric(MetricSpec):
    """Base class. Tasks have different units, so these metrics are not pooled."""

    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    squared: ClassVar[bool] = False
    """Whether the mean is over squared differences, of which the metric is the root."""

    def check_space(self, space: LabelSpace) -> None:
        """Require numbers."""
        require_number_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean over all numbers of all labels."""
        from mtl_core.builtins.metrics.modules.mean_error import MeanError

        require_number_space(space, self)
        return MeanError(self.squared)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the summed differences per label, and the count of its numbers: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_error_sums

        return compute_error_sums(outputs, targets, self.squared)

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)


class MAE(_MeanErrorMetric):
    """Mean absolute error, in the units of the labels."""

    type: Literal["mae"] = "mae"


class RMSE(_MeanErrorMetric):
    """Root mean squared error, in the units of the labels."""

    type: Literal["rmse"] = "rmse"
    squared: ClassVar[bool] = True

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the square root of the mean."""
        root: NDArray[np.float64] = super().compute_from_sums(sums) ** 0.5
        return root
