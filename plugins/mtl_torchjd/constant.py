"""The sum of gradients with constant weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_torchjd.aggregator_spec import StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Constant(StatelessSpec):
    """The weighted sum of the gradients; the weights do not apply to task-specific parameters."""

    type: Literal["constant"] = "constant"
    weights: dict[str, NonNegativeFloat] = {}
    """Task name to the weight of its gradient; 1 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float]:
        """Return the weights."""
        return order_by_task("weights", self.weights, tasks, 1.0)

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        assert task_values is not None  # noqa: S101  see `get_task_values`
        return aggregation.Constant(task_values)
