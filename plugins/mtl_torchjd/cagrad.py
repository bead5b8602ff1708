"""Conflict-averse gradient descent (CAGrad)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat

from mtl_torchjd.aggregator_spec import EXTRA, StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class CAGrad(StatelessSpec):
    """Conflict-averse gradient descent (CAGrad; Liu et al., 2021).

    Among all gradients whose distance from the mean gradient is at most `c` times its norm, the one that maximizes
    the smallest decrease of a task's loss.
    """

    type: Literal["cagrad"] = "cagrad"
    modules: ClassVar[Mapping[str, str]] = {"cvxpy": EXTRA, "clarabel": EXTRA}
    c: NonNegativeFloat = 0.4
    """Maximum relative distance from the mean; 0 is the mean, large values approach MGDA."""
    norm_eps: NonNegativeFloat = 1e-4
    """Minimum sum of the squared gradients, and minimum norm of the result; below it, the result is 0."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.CAGrad(self.c, self.norm_eps)
