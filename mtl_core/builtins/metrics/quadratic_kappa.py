"""Quadratically weighted kappa."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class QuadraticKappa(MetricSpec):
    """Agreement beyond chance, with quadratic weights for the distance between classes (Cohen, 1968)."""

    type: Literal["quadratic-kappa"] = "quadratic-kappa"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build quadratically weighted kappa; undefined if all labels and predictions are of one class."""
        from torchmetrics.classification import MulticlassCohenKappa

        return MulticlassCohenKappa(
            len(require_class_space(space, self).classes), weights="quadratic", validate_args=False
        )
