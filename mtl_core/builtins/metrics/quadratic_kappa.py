"""Quadratically weighted kappa."""

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


class QuadraticKappa(MetricSpec):
    """Agreement beyond chance, with quadratic weights for the distance between classes (Cohen, 1968)."""

    type: Literal["quadratic-kappa"] = "quadratic-kappa"
    pooled: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build quadratically weighted kappa; undefined if all labels and predictions are of one class."""
        from torchmetrics.classification import MulticlassCohenKappa

        return MulticlassCohenKappa(
            len(require_class_space(space, self).classes), weights="quadratic", validate_args=False
        )

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return the confusion matrix, `(classes * classes,)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_confusion_matrix

        return compute_confusion_matrix(outputs.argmax(dim=-1), targets, len(space.classes))

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64] | None:
        """Return the confusion matrix of each task, `(tasks, classes * classes)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_task_confusion_matrices

        return compute_task_confusion_matrices(labels, len(spaces[0].classes))

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute 1 minus the weighted disagreement, divided by that of independent labels and predictions."""
        import numpy as np

        from mtl_core.builtins.metrics.label_sums import reshape_confusion_matrix

        counts = reshape_confusion_matrix(sums)
        codes = np.arange(counts.shape[-1])
        weights = (codes[:, None] - codes) ** 2
        expected = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
        disagreement = (weights * counts).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
        kappa: NDArray[np.float64] = 1 - disagreement / (weights * expected).sum(axis=(-2, -1))
        return kappa
