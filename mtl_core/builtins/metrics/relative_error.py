"""The mean relative error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.metrics.label_spaces import require_number_space
from mtl_core.plugins.specs import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torchmetrics
    from numpy.typing import NDArray

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.group_labels import GroupLabels


class AbsRel(MetricSpec):
    """Mean absolute error relative to the label, as for depth (Eigen et al., 2014); labels of 0 are left out."""

    type: Literal["abs-rel"] = "abs-rel"
    pooled: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False

    def check_space(self, space: LabelSpace) -> None:
        """Require numbers."""
        require_number_space(space, self)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        """Build the mean over all numbers other than 0."""
        from mtl_core.builtins.metrics.modules.mean_of_sums import MeanOfSums

        require_number_space(space, self)
        return MeanOfSums(lambda outputs, targets: self.compute_label_sums(space, outputs, targets))

    def compute_label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the summed relative errors per label, and the count of its numbers: `(n, 2)`, float64."""
        import torch

        flat_targets = targets.reshape(len(targets), -1).double()
        errors = (outputs.reshape(len(outputs), -1).double() - flat_targets).abs()
        is_scored = ~flat_targets.isnan() & (flat_targets != 0)
        relative = torch.where(is_scored, errors / torch.where(is_scored, flat_targets.abs(), 1.0), 0.0)
        return torch.stack([relative.sum(dim=1), is_scored.sum(dim=1).double()], dim=1)

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64]:
        """Return the sums of each task, `(tasks, 2)`, float64."""
        from mtl_core.builtins.metrics.label_sums import sum_label_sums

        return sum_label_sums(self, spaces, labels)
