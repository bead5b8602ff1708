"""The coefficient of determination (R²)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_number_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class R2(MetricSpec):
    """Coefficient of determination (R²); undefined for fewer than two labels, or if all labels are equal.

    For several outputs, the mean over the outputs.
    """

    type: Literal["r2"] = "r2"
    pooled: ClassVar[bool] = False

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build R², computed per output and then averaged."""
        from mtl_core.builtins.metrics.modules.r2 import R2Score

        return R2Score(require_number_space(space, self).training_mean.tolist())
