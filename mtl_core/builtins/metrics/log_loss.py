"""The log loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_class_space, require_labels_without_pixels
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class LogLoss(MetricSpec):
    """Mean negative log-likelihood of the labels (cross entropy), in nats; lower is better.

    It measures the probabilities, not only the predicted class. The baseline predicts the class frequencies of the
    training labels; that of an ordinal task predicts its most frequent class with near certainty.
    """

    type: Literal["log-loss"] = "log-loss"
    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    reads_class_logits: ClassVar[bool] = True

    def check_space(self, space: LabelSpace) -> None:
        """Require one class per example or token."""
        require_class_space(space, self)
        require_labels_without_pixels(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean over labels."""
        from mtl_core.builtins.metrics.modules.mean_of_sums import MeanOfSums

        self.check_space(space)
        return MeanOfSums(lambda outputs, targets: self.compute_label_sums(space, outputs, targets))

    def compute_label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of each label, and a one that counts it: `(n, 2)`, float64."""
        from torch.nn.functional import cross_entropy

        from mtl_core.builtins.metrics.label_sums import append_count

        return append_count(cross_entropy(outputs.double(), targets.long(), reduction="none"))

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)
