"""The coefficient of determination (R²)."""

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


class R2(MetricSpec):
    """Coefficient of determination (R²); undefined for fewer than two labels, or if all labels are equal.

    For several outputs, the mean over the outputs.
    """

    type: Literal["r2"] = "r2"
    pooled: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require numbers."""
        require_number_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build R², computed per output and then averaged."""
        from mtl_core.builtins.metrics.modules.r2 import R2Score

        return R2Score(require_number_space(space, self).training_mean.tolist())

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return four sums per output, `(4 * outputs,)`: counts, labels, squared labels and squared errors.

        Labels are relative to the mean of the training labels, so that the sums stay exact.
        """
        from mtl_core.builtins.metrics.label_sums import compute_variance_sums

        return compute_variance_sums(outputs, targets, require_number_space(space, self).training_mean.tolist())

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 4 * outputs)`; labels are relative to the mean of their task."""
        from mtl_core.builtins.metrics.label_sums import compute_task_variance_sums

        means = [require_number_space(space, self).training_mean for space in spaces]
        return compute_task_variance_sums(labels, means)

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the mean over outputs of 1 minus the errors divided by the variance of the labels."""
        from mtl_core.builtins.metrics.label_sums import compute_nanmean, compute_r2

        return compute_nanmean(compute_r2(sums))
