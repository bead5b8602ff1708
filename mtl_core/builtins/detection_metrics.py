"""Detection metrics, for tasks of the kind `detect-and-classify`."""

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


class _Detection(MetricSpec):
    """Base class. Over several tasks, the counts of TP, FP and FN are added up (micro-averaging)."""

    pooled: ClassVar[bool] = False
    pooled_by_sums: ClassVar[bool] = True

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the metric over all labels; NaN where its denominator is 0."""
        from mtl_core.builtins.detection_metric_module import SumsFigure, detection_sums

        nothing = self._nothing(space)
        return SumsFigure(lambda outputs, targets: detection_sums(outputs, targets, nothing), self.of_sums)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Return whether each label is a TP, an FP or an FN: `(n, 3)`, float64."""
        from mtl_core.builtins.detection_metric_module import detection_sums

        return detection_sums(outputs, targets, self._nothing(space))

    def _nothing(self, space: LabelSpace) -> int:
        from mtl_core.data.label_space import DetectionSpace

        if not isinstance(space, DetectionSpace):
            raise MtlError(f"the metric '{self.type}' is for tasks of the kind 'detect-and-classify'")
        return len(space.classes) - 1


class _F1(_Detection):
    """F1 from counts of TP, FP and FN."""

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute F1 from `(..., 3)`: TP, FP and FN."""
        hits, alarms, misses = sums[..., 0], sums[..., 1], sums[..., 2]
        score: NDArray[np.float64] = 2 * hits / (2 * hits + alarms + misses)
        return score


class DetectionF1(_F1):
    """F1 of detection: the harmonic mean of its precision and recall."""

    type: Literal["detection-f1"] = "detection-f1"


class DetectionPrecision(_Detection):
    """Precision of detection: the fraction of predicted presences that are true."""

    type: Literal["detection-precision"] = "detection-precision"

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute TP / (TP + FP)."""
        share: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 1])
        return share


class DetectionRecall(_Detection):
    """Recall of detection: the fraction of true presences that are predicted."""

    type: Literal["detection-recall"] = "detection-recall"

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute TP / (TP + FN)."""
        share: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 2])
        return share


class JointF1(_F1):
    """F1 of detection and class together: a detection with a wrong class is both an FP and an FN.

    For aspects of reviews, this is the F1 of (aspect, polarity) pairs.
    """

    type: Literal["joint-f1"] = "joint-f1"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the metric over all labels; NaN where its denominator is 0."""
        from mtl_core.builtins.detection_metric_module import SumsFigure, joint_sums

        nothing = self._nothing(space)
        return SumsFigure(lambda outputs, targets: joint_sums(outputs, targets, nothing), self.of_sums)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """Return whether each label is a TP, an FP or an FN: `(n, 3)`, float64."""
        from mtl_core.builtins.detection_metric_module import joint_sums

        return joint_sums(outputs, targets, self._nothing(space))
