"""Dual projection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.preferences import normalize_preferences
from mtl_torchjd.projection import ProjectionSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class DualProj(ProjectionSpec):
    """Dual projection: the mean of the gradients, projected so that no task's loss increases.

    Gradient episodic memory (Lopez-Paz and Ranzato, 2017) uses the same projection.
    """

    type: Literal["dualproj"] = "dualproj"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.DualProj(normalize_preferences(task_values), projector)
