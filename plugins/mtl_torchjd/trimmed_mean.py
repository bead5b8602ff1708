"""The trimmed mean of gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeInt

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class TrimmedMean(StatelessSpec):
    """The mean of the gradients per entry, without the largest and smallest values (Yin et al., 2018)."""

    type: Literal["trimmed-mean"] = "trimmed-mean"
    is_weighted_sum: ClassVar[bool] = False
    trim_number: NonNegativeInt = 1
    """Number of values that are trimmed at each end; fewer if the batch has too few tasks."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.TrimmedMean(min(self.trim_number, (n_tasks - 1) // 2))
