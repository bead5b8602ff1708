"""The mean distance on an ordinal scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class RankDistance(MetricSpec):
    """Mean distance between the predicted and the true class of an ordinal scale, in steps."""

    type: Literal["rank-distance"] = "rank-distance"
    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean absolute difference of class codes."""
        from mtl_core.builtins.metrics.modules.rank_distance import MeanRankDistance

        require_class_space(space, self)
        return MeanRankDistance()

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return the distance of each prediction in steps, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import append_count

        return append_count((outputs.argmax(dim=-1) - targets).abs())

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)
