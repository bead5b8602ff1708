"""Detection metrics, for tasks of the kind `detect-and-classify`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class _DetectionMetric(MetricSpec):
    """Base class. Over several tasks, the counts of TP, FP and FN are added up (micro-averaging)."""

    pooled: ClassVar[bool] = False
    pooled_by_sums: ClassVar[bool] = True
    worst_value: ClassVar[float | None] = 0.0

    def check_space(self, space: LabelSpace) -> None:
        """Require a label space of detection and classes."""
        self._find_absent_code(space)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the metric over all labels; NaN where its denominator is 0."""
        from mtl_core.builtins.metrics.modules.detection import CountsMetric

        return CountsMetric(partial(self.compute_counts, self._find_absent_code(space)), self.compute_from_sums)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each label is a TP, an FP or an FN: `(n, 3)`, float64."""
        return self.compute_counts(self._find_absent_code(space), outputs, targets)

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 3)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)

    def compute_counts(self, absent_code: int, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return whether each label is a TP, an FP or an FN of detection: `(n, 3)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_detection_counts

        return compute_detection_counts(outputs, targets, absent_code)

    def _find_absent_code(self, space: LabelSpace) -> int:
        from mtl_core.data.class_space import DetectionSpace

        if not isinstance(space, DetectionSpace):
            raise MtlError(f"the metric '{self.type}' is for tasks of the kind 'detect-and-classify'")
        return len(space.classes) - 1


class _F1FromCounts(_DetectionMetric):
    """F1 from counts of TP, FP and FN."""

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute F1 from `(..., 3)`: TP, FP and FN."""
        from mtl_core.builtins.metrics.label_sums import compute_f1

        return compute_f1(sums)[..., 0]


class DetectionF1(_F1FromCounts):
    """F1 of detection: the harmonic mean of its precision and recall."""

    type: Literal["detection-f1"] = "detection-f1"


class DetectionPrecision(_DetectionMetric):
    """Precision of detection: the fraction of predicted presences that are true."""

    type: Literal["detection-precision"] = "detection-precision"

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute TP / (TP + FP)."""
        precision: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 1])
        return precision


class DetectionRecall(_DetectionMetric):
    """Recall of detection: the fraction of true presences that are predicted."""

    type: Literal["detection-recall"] = "detection-recall"

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute TP / (TP + FN)."""
        recall: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 2])
        return recall


class JointF1(_F1FromCounts):
    """F1 of detection and class together: a detection with a wrong class is both an FP and an FN.

    For aspects of reviews, this is the F1 of (aspect, polarity) pairs.
    """

    type: Literal["joint-f1"] = "joint-f1"

    def compute_counts(self, absent_code: int, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return whether each label is a TP, an FP or an FN of detection and class: `(n, 3)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_joint_counts

        return compute_joint_counts(outputs, targets, absent_code)
