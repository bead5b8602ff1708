"""UPGrad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.preferences import normalize_preferences
from mtl_torchjd.projection import ProjectionSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class UPGrad(ProjectionSpec):
    """Unconflicting projection of gradients (UPGrad; Quinton and Rey, 2024).

    Each task's gradient is projected onto the directions in which, for a sufficiently small step, no task's loss
    increases; the result is the mean. Its length is that of one task's gradient, not of their sum.
    """

    type: Literal["upgrad"] = "upgrad"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.UPGrad(normalize_preferences(task_values), projector)
