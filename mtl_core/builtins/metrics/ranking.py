"""Metrics of the order of the predictions of tasks with two classes: ROC-AUC and average precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_binary_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class _RankingMetric(MetricSpec):
    """Base class. Scores of different tasks have no common order, so these metrics are not pooled."""

    pooled: ClassVar[bool] = False
    worst_value: ClassVar[float | None] = 0.0
    reads_class_logits: ClassVar[bool] = True

    def check_space(self, space: LabelSpace) -> None:
        """Require two classes."""
        require_binary_space(space, self)


class RocAuc(_RankingMetric):
    """Area under the ROC curve of the second class: the probability that it ranks a pair of examples correctly.

    Equal scores count half. It is undefined for labels of one class only. The baseline is 0.5.
    """

    type: Literal["roc-auc"] = "roc-auc"
    ranks_pairs: ClassVar[bool] = True

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the area under the ROC curve; NaN for labels of one class only."""
        from mtl_core.builtins.metrics.modules.ranking import ClassLogitsAUROC

        require_binary_space(space, self)
        return ClassLogitsAUROC(validate_args=False)

    def compute_task_values(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Compute the area of each task, `(tasks,)`."""
        from mtl_core.builtins.metrics.rank_statistics import compute_roc_auc

        return compute_roc_auc(labels)


class AveragePrecision(_RankingMetric):
    """Average precision of the second class, the area under the precision-recall curve without interpolation.

    It is undefined for labels of one class only. The baseline is the fraction of labels of the second class.
    """

    type: Literal["average-precision"] = "average-precision"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the average precision; NaN for labels of one class only."""
        from mtl_core.builtins.metrics.modules.ranking import ClassLogitsAveragePrecision

        require_binary_space(space, self)
        return ClassLogitsAveragePrecision(validate_args=False)

    def compute_task_values(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Compute the average precision of each task, `(tasks,)`."""
        from mtl_core.builtins.metrics.rank_statistics import compute_average_precision

        return compute_average_precision(labels)
