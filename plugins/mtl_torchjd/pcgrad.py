"""PCGrad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class PCGrad(StatelessSpec):
    """Projecting conflicting gradients (PCGrad, "gradient surgery"; Yu et al., 2020).

    Each task's gradient is projected onto the normal plane of every conflicting gradient, in random order; the
    result is the sum. Without conflicts it is the sum of the gradients.
    """

    type: Literal["pcgrad"] = "pcgrad"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.PCGrad()
