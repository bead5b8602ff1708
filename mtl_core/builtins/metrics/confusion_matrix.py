"""The confusion matrix."""

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


class Confusion(MetricSpec):
    """Confusion matrix: one row per true class, one column per predicted class."""

    type: Literal["confusion"] = "confusion"
    pooled: ClassVar[bool] = False
    scalar: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the matrix of counts, `(classes, classes)`."""
        from torchmetrics.classification import MulticlassConfusionMatrix

        return MulticlassConfusionMatrix(len(require_class_space(space, self).classes), validate_args=False)

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return the counts, `(classes * classes,)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_confusion_matrix

        return compute_confusion_matrix(outputs.argmax(dim=-1), targets, len(space.classes))

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64] | None:
        """Return the confusion matrix of each task, `(tasks, classes * classes)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_task_confusion_matrices

        return compute_task_confusion_matrices(labels, len(spaces[0].classes))

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the counts as a matrix, `(..., classes, classes)`."""
        from mtl_core.builtins.metrics.label_sums import reshape_confusion_matrix

        return reshape_confusion_matrix(sums)
