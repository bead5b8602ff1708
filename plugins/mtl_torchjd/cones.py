"""Aggregators that look for a step which harms no task, or the one that is harmed most as little as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, StatelessSpec, by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Preferring(StatelessSpec):
    """Begins with a mean of gradients, which may be a weighted one."""

    preferences: dict[str, PositiveFloat] = {}
    """What a task counts in the mean, relative to others, by its name; 1 for those that are not named."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """The preferences."""
        return by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None


def mean_of(numbers: Tensor | None) -> Tensor | None:
    """Bring preferences to the sum of 1, like those of a mean."""
    return None if numbers is None else numbers / numbers.sum()


class _Projecting(Preferring):
    """Projects onto the directions that harm no task."""

    modules: ClassVar[Mapping[str, str]] = {"qpsolvers": EXTRA, "quadprog": EXTRA}
    norm_eps: NonNegativeFloat = 1e-4
    """Below so large a sum of the gradients' squares, nothing is projected."""
    reg_eps: NonNegativeFloat = 1e-4
    """Added to the diagonal of the (normalised) products of gradients, so that the solver does not fail."""


class UPGrad(_Projecting):
    """Unconflicting projection of gradients (UPGrad; Quinton and Rey, 2024).

    Each task's gradient is projected onto the directions in which, for a small enough step, no task's loss rises;
    the mean is taken. A step is as long as one task's, not as all tasks' together.
    """

    type: Literal["upgrad"] = "upgrad"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.UPGrad(mean_of(numbers), projector)


class DualProj(_Projecting):
    """The mean of the gradients, projected onto the directions in which no task's loss rises.

    It is the step of gradient episodic memory (Lopez-Paz and Ranzato, 2017), for tasks.
    """

    type: Literal["dualproj"] = "dualproj"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation, linalg

        projector = linalg.QuadprogProjector(norm_eps=self.norm_eps, reg_eps=self.reg_eps)
        return aggregation.DualProj(mean_of(numbers), projector)


class MGDA(StatelessSpec):
    """Multiple-gradient descent (Désidéri, 2012; Sener and Koltun, 2018): the shortest mean of the gradients.

    It is the weighted mean of least norm, found by Frank-Wolfe steps. Small gradients decide, so a task's weight
    works the other way round here: at weight 2 its gradient is longer, and counts less.
    """

    type: Literal["mgda"] = "mgda"
    epsilon: PositiveFloat = 0.001
    """The step of the solver below which it stops."""
    max_iters: PositiveInt = 100
    """Steps of the solver, at most."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.MGDA(self.epsilon, self.max_iters)


class CAGrad(StatelessSpec):
    """Conflict-averse gradient descent (CAGrad; Liu et al., 2021).

    Of all steps that are no further from the mean gradient than `c` times its length, the one that does most for
    the task that it does least for.
    """

    type: Literal["cagrad"] = "cagrad"
    modules: ClassVar[Mapping[str, str]] = {"cvxpy": EXTRA, "clarabel": EXTRA}
    c: NonNegativeFloat = 0.4
    """How far from the mean; 0 is the mean, and a large one MGDA."""
    norm_eps: NonNegativeFloat = 1e-4
    """Below so large a sum of the gradients' squares, and so short a step, nothing moves."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.CAGrad(self.c, self.norm_eps)
