"""Aggregators whose step increases no task's loss, or the worst task's loss as little as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class PreferenceSpec(StatelessSpec):
    """An aggregator that starts from a mean of the gradients, optionally weighted."""

    preferences: dict[str, PositiveFloat] = {}
    """Task name to its relative weight in the mean; 1 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return the preferences."""
        return order_by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None


def normalize_preferences(preferences: Tensor | None) -> Tensor | None:
    """Normalize preferences to the sum 1."""
    return None if preferences is None else preferences / preferences.sum()


class _ProjectionSpec(PreferenceSpec):
    """An aggregator that projects onto the directions in which no task's loss increases."""

    modules: ClassVar[Mapping[str, str]] = {"qpsolvers": EXTRA, "quadprog": EXTRA}
    norm_eps: NonNegativeFloat = 1e-4
    """Minimum sum of the squared gradients; below it, gradients are not projected."""
    reg_eps: NonNegativeFloat = 1e-4
    """Added to the diagonal of the normalized Gramian, for the stability of the solver."""


class UPGrad(_ProjectionSpec):
    """Unconflicting projection of gradients (UPGrad; Quinton and Rey, 2024).

    Each task's gradient is projected onto the directions in which, for a sufficiently small step, no task's loss
    increases; the result is the mean. Its length is that of one task's gradient, not of their sum.
    """

    type: Literal["upgrad"] = "upgrad"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.UPGrad(normalize_preferences(task_values), projector)


class DualProj(_ProjectionSpec):
    """Dual projection: the mean of the gradients, projected so that no task's loss increases.

    Gradient episodic memory (Lopez-Paz and Ranzato, 2017) uses the same projection.
    """

    type: Literal["dualproj"] = "dualproj"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.DualProj(normalize_preferences(task_values), projector)


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
