"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class Confusion(MetricSpec):
    """Confusion matrix: one row per true class, one column per predicted class."""

    type: Literal["confusion"] = "confusion"
    pooled: ClassVar[bool] = False
    scalar: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the matrix of counts, `(classes, classes)`."""
        from torchmetrics.classification import MulticlassConfusionMatrix

        return MulticlassConfusionMatrix(len(require_class_space(space, self).classes), validate_args=False)
