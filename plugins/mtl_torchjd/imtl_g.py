"""Impartial multi-task learning by gradients (IMTL-G)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class IMTLG(StatelessSpec):
    """Impartial multi-task learning by gradients (IMTL-G; Liu et al., 2021).

    The weights sum to 1, and the projections of the aggregated gradient onto all tasks' gradients are equal.
    Weights can be negative.
    """

    type: Literal["imtl-g"] = "imtl-g"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.IMTLG()
