"""Exact match of multi-label tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.metrics.label_spaces import INDICATOR_THRESHOLD, require_multilabel_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class ExactMatch(MetricSpec):
    """Fraction of examples whose predicted set of labels equals the true set."""

    type: Literal["exact-match"] = "exact-match"

    def check_space(self, space: LabelSpace) -> None:
        """Require any number of labels per example."""
        require_multilabel_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build exact match of indicators."""
        from torchmetrics.classification import MultilabelExactMatch

        return MultilabelExactMatch(len(require_multilabel_space(space, self).classes), validate_args=False)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        """Return whether each example matches exactly, and a one that counts it: `(n, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import append_count

        return append_count(((outputs > INDICATOR_THRESHOLD) == (targets > 0)).all(dim=1))

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)
