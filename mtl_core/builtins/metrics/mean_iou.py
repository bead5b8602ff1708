"""Mean intersection over union, and the accuracy of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class MeanIoU(MetricSpec):
    """Mean over classes of the intersection over union of labels and predictions (Jaccard index).

    Intersections and unions are added up over all images. Classes that occur neither as labels nor as predictions
    are left out of the mean.
    """

    type: Literal["mean-iou"] = "mean-iou"
    pooled: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per label."""
        require_class_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the macro-averaged Jaccard index."""
        from torchmetrics.classification import MulticlassJaccardIndex

        n_classes = len(require_class_space(space, self).classes)
        return MulticlassJaccardIndex(n_classes, average="macro", validate_args=False)

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return the intersection and the union of each class, `(2 * classes,)`, float64."""
        import numpy as np

        from mtl_core.builtins.metrics.label_sums import compute_confusion_matrix, reshape_confusion_matrix

        counts = reshape_confusion_matrix(compute_confusion_matrix(outputs.argmax(dim=-1), targets, len(space.classes)))
        intersections = counts.diagonal()
        return np.concatenate([intersections, counts.sum(axis=0) + counts.sum(axis=1) - intersections])

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return each label's intersection and union per class: `(n, 2 * classes)`, float64."""
        import torch
        from torch.nn.functional import one_hot

        n_classes = len(space.classes)
        is_predicted = one_hot(outputs.argmax(dim=-1), n_classes) > 0
        is_target = one_hot(targets.long(), n_classes) > 0
        return torch.cat([is_predicted & is_target, is_predicted | is_target], dim=1).double()

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the intersection and the union of each task and class, `(tasks, 2 * classes)`, float64."""
        import numpy as np

        from mtl_core.builtins.metrics.label_sums import compute_task_class_counts

        counts = np.split(compute_task_class_counts(labels, len(spaces[0].classes)), 3, axis=1)
        return np.concatenate([counts[0], counts[0] + counts[1] + counts[2]], axis=1)

    def compute_from_sums(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the mean over the classes that occur."""
        import numpy as np

        from mtl_core.builtins.metrics.label_sums import compute_nanmean

        intersections, unions = np.split(sums, 2, axis=-1)
        return compute_nanmean(intersections / unions)


class PixelAccuracy(Accuracy):
    """Fraction of labelled pixels that are predicted correctly."""

    type: Literal["pixel-accuracy"] = "pixel-accuracy"  # type: ignore[assignment]

    def compute_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
        """Return the number of correct predictions and of labels, without a row per label."""
        import numpy as np

        return np.array([int((outputs.argmax(dim=-1) == targets).sum()), len(targets)], dtype=np.float64)
