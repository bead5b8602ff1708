"""Accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


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

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        import numpy as np

        is_correct = labels.predicted_codes == labels.targets
        n_correct = labels.task_indices[is_correct].bincount(minlength=len(labels.counts))
        return np.stack([n_correct.double().numpy(), labels.counts.double().numpy()], axis=1)
