"""Conflict-free direction (ConFIG)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from mtl_torchjd.preferences import PreferenceSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class ConFIG(PreferenceSpec):
    """Conflict-free direction (ConFIG; Liu, Chu and Thuerey, 2025): equal cosines to all tasks' gradients.

    Its norm is the sum of the gradients' projections onto it.
    """

    type: Literal["config"] = "config"
    is_weighted_sum: ClassVar[bool] = False
    preferences: dict[str, PositiveFloat] = {}
    """Task name to its relative cosine; 1 for other tasks."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.ConFIG(task_values)
