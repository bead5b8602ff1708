"""Accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import torch
    import torchmetrics

    from mtl_core.data.label_space import LabelSpace


class Accuracy(MetricSpec):
    """Fraction of labels that are predicted correctly."""

    type: Literal["accuracy"] = "accuracy"

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build micro-averaged accuracy."""
        from torchmetrics.classification import MulticlassAccuracy

        return MulticlassAccuracy(len(require_class_space(space, self).classes), average="micro", validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each label is predicted correctly, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import append_count

        return append_count(outputs.argmax(dim=-1) == targets)
