"""Krum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveInt

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Krum(StatelessSpec):
    """The gradient closest to the others (Krum; Blanchard et al., 2017), or the mean of several such gradients.

    Designed for distributed training with Byzantine workers; for tasks it follows the majority. With fewer than
    three gradients it returns the mean.
    """

    type: Literal["krum"] = "krum"
    n_byzantine: NonNegativeInt = 1
    """Number of untrusted (Byzantine) gradients; at most the number of tasks in the batch minus 3."""
    n_selected: PositiveInt = 1
    """Number of selected gradients, which are averaged."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator, with fewer Byzantine gradients if the batch has labels of few tasks."""
        from torchjd import aggregation

        if n_tasks < 3:
            return aggregation.Mean()
        return aggregation.Krum(min(self.n_byzantine, n_tasks - 3), min(self.n_selected, n_tasks))
