"""The sum of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class GradientSum(StatelessSpec):
    """The sum of the gradients: a baseline, equal to the weighting `sum`, which needs only one backward pass."""

    type: Literal["gradient-sum"] = "gradient-sum"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Sum()
