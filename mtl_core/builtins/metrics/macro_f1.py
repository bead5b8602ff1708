"""Macro-averaged F1."""

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


class MacroF1(MetricSpec):
    """Mean F1 over the classes that occur, as labels or as predictions."""

    type: Literal["macro-f1"] = "macro-f1"
    pooled: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build macro F1; a class without labels and without predictions is left out of the mean."""
        from torchmetrics.classification import MulticlassF1Score

        return MulticlassF1Score(len(require_class_space(space, self).classes), average="macro", validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return true positives, false positives and false negatives per class: `(n, 3 * classes)`, float64."""
        from torch.nn.functional import one_hot

        from mtl_core.builtins.metrics.label_sums import compute_confusion_counts

        n_classes = len(space.classes)
        return compute_confusion_counts(one_hot(outputs.argmax(dim=-1), n_classes), one_hot(targets.long(), n_classes))

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return the sums of `compute_label_sums`, without a row per label."""
        import numpy as np

        from mtl_core.builtins.metrics.label_sums import compute_confusion_matrix, reshape_confusion_matrix

        counts = reshape_confusion_matrix(compute_confusion_matrix(outputs.argmax(dim=-1), targets, len(space.classes)))
        true_positives = counts.diagonal()
        return np.concatenate(
            [true_positives, counts.sum(axis=0) - true_positives, counts.sum(axis=1) - true_positives]
        )

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 3 * classes)`, float64."""
        from mtl_core.builtins.metrics.label_sums import compute_task_class_counts

        return compute_task_class_counts(labels, len(spaces[0].classes))

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the mean F1 over the classes that occur."""
        from mtl_core.builtins.metrics.label_sums import compute_f1, compute_nanmean

        return compute_nanmean(compute_f1(sums))
