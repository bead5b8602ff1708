"""Spearman's rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_labels_without_pixels, require_number_space
from mtl_core.errors import MtlError
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class Spearman(MetricSpec):
    """Spearman's rank correlation of predicted and true numbers; equal numbers have their mean rank.

    It is undefined if all labels or all predictions are equal, as are those of the baseline.
    """

    type: Literal["spearman"] = "spearman"
    pooled: ClassVar[bool] = False
    worst_value: ClassVar[float | None] = -1.0

    def check_space(self, space: LabelSpace) -> None:
        """Require one number per example or token."""
        if require_number_space(space, self).vector:
            raise MtlError(f"the metric '{self.type}' is for tasks with one number per label, not for vectors")
        require_labels_without_pixels(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the rank correlation; NaN for equal labels or predictions."""
        from mtl_core.builtins.metrics.modules.spearman import RankCorrelation

        self.check_space(space)
        return RankCorrelation()

    def compute_task_values(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Compute the rank correlation of each task, `(tasks,)`."""
        from mtl_core.builtins.metrics.rank_statistics import compute_spearman

        return compute_spearman(labels)
