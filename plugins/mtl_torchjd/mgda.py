"""Multiple-gradient descent (MGDA)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt

from mtl_torchjd.aggregator_spec import StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class MGDA(StatelessSpec):
    """Multiple-gradient descent (MGDA; Désidéri, 2012; Sener and Koltun, 2018): the weighted mean of minimum norm.

    Frank-Wolfe iterations find the weights. Small gradients dominate, so a task's declared weight has the opposite
    effect: with weight 2 its gradient is longer, and gets a smaller weight.
    """

    type: Literal["mgda"] = "mgda"
    epsilon: PositiveFloat = 0.001
    """Step size of the solver below which it stops."""
    max_iters: PositiveInt = 100
    """Maximum number of iterations of the solver."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.MGDA(self.epsilon, self.max_iters)
