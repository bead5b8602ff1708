"""Micro-averaged F1 of multi-label tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import INDICATOR_THRESHOLD, require_multilabel_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class MicroF1(MetricSpec):
    """Micro-averaged F1 over all labels of all examples, for multi-label tasks.

    It is undefined if no example has a label and no label is predicted.
    """

    type: Literal["micro-f1"] = "micro-f1"
    pooled: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require any number of labels per example."""
        require_multilabel_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro F1 of indicators."""
        from mtl_core.builtins.metrics.modules.micro_f1 import IndicatorF1

        require_multilabel_space(space, self)
        return IndicatorF1(validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return true positives, false positives and false negatives per example: `(n, 3)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_confusion_counts

        counts = compute_confusion_counts(outputs > INDICATOR_THRESHOLD, targets).reshape(len(targets), 3, -1)
        return counts.sum(dim=2)

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 3)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute F1 from the summed counts."""
        from mtl_core.builtins.metrics.label_sums import compute_f1

        return compute_f1(sums)[..., 0]
