"""How well it is found that there is something, for tasks of the kind `detect-and-classify`."""

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
    """What they have in common. Over several tasks, hits, false alarms and misses are added up (micro figures)."""

    pooled: ClassVar[bool] = False
    pooled_by_sums: ClassVar[bool] = True

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """The figure of all labels together; undefined where nothing is there, or nothing was said."""
        from mtl_core.builtins.detection_metric_module import SumsFigure, detection_sums

        nothing = self._nothing(space)
        return SumsFigure(lambda outputs, targets: detection_sums(outputs, targets, nothing), self.of_sums)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """A hit, a false alarm, a miss, or none of them."""
        from mtl_core.builtins.detection_metric_module import detection_sums

        return detection_sums(outputs, targets, self._nothing(space))

    def _nothing(self, space: LabelSpace) -> int:
        from mtl_core.data.label_space import DetectionSpace

        if not isinstance(space, DetectionSpace):
            raise MtlError(f"the metric '{self.type}' is for tasks of the kind 'detect-and-classify'")
        return len(space.classes) - 1


class _F1(_Detection):
    """F1 of hits, false alarms and misses."""

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of hits, false alarms and misses."""
        hits, alarms, misses = sums[..., 0], sums[..., 1], sums[..., 2]
        score: NDArray[np.float64] = 2 * hits / (2 * hits + alarms + misses)
        return score


class DetectionF1(_F1):
    """The harmonic mean of precision and recall of there being something."""

    type: Literal["detection-f1"] = "detection-f1"


class DetectionPrecision(_Detection):
    """Of those of which it was said that there is something, the share of which it is true."""

    type: Literal["detection-precision"] = "detection-precision"

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hits, of hits and false alarms."""
        share: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 1])
        return share


class DetectionRecall(_Detection):
    """Of those where there is something, the share that was found."""

    type: Literal["detection-recall"] = "detection-recall"

    def of_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hits, of hits and misses."""
        share: NDArray[np.float64] = sums[..., 0] / (sums[..., 0] + sums[..., 2])
        return share


class JointF1(_F1):
    """F1 of what was found together with its class: a thing found with a wrong class is a false alarm and a miss.

    For aspects of reviews, the F1 of pairs of aspect and polarity.
    """

    type: Literal["joint-f1"] = "joint-f1"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """The figure of all labels together; undefined where nothing is there, or nothing was said."""
        from mtl_core.builtins.detection_metric_module import SumsFigure, joint_sums

        nothing = self._nothing(space)
        return SumsFigure(lambda outputs, targets: joint_sums(outputs, targets, nothing), self.of_sums)

    def label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor | None:
        """A hit, a false alarm, a miss, or none of them."""
        from mtl_core.builtins.detection_metric_module import joint_sums

        return joint_sums(outputs, targets, self._nothing(space))
