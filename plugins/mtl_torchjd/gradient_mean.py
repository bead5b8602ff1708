"""The mean of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class GradientMean(StatelessSpec):
    """The mean of the gradients of shared parameters; task-specific parameters as with `sum`."""

    type: Literal["gradient-mean"] = "gradient-mean"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Mean()
