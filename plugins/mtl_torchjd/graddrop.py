"""Gradient sign dropout (GradDrop)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core import Fraction
from mtl_torchjd.aggregator_spec import StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class GradDrop(StatelessSpec):
    """Gradient sign dropout ("just pick a sign"; Chen et al., 2020).

    For each entry of the gradient a sign is sampled, with the probability of its share among the tasks; entries of
    the other sign are dropped. The result is the sum.
    """

    type: Literal["graddrop"] = "graddrop"
    is_weighted_sum: ClassVar[bool] = False
    leak: dict[str, Fraction] = {}
    """Task name to the share of its gradient that is never dropped; 0 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float]:
        """Return the leaks."""
        return order_by_task("leak", self.leak, tasks, 0.0)

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.GradDrop(leak=task_values)
