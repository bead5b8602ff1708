"""Random weights of gradients (RLW)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class RandomGradient(StatelessSpec):
    """A mean of the gradients with random weights, sampled in every step (RLW; Lin et al., 2022).

    The weights are the softmax of standard normal samples, from the run's seed. They do not apply to task-specific
    parameters; `random` weighs losses instead, in one backward pass.
    """

    type: Literal["random-gradient"] = "random-gradient"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Random()
