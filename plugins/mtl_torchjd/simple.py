"""Aggregators that are there to be compared with, and robust ones from federated learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from mtl_torchjd.aggregator_spec import StatelessSpec, by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Sum(StatelessSpec):
    """The sum of the gradients. It is what `static` gives in a single backward pass: here to be compared with."""

    type: Literal["sum"] = "sum"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.Sum()


class Mean(StatelessSpec):
    """The mean of the gradients: shared parameters move as for one task, tasks' own parameters as with `static`."""

    type: Literal["mean"] = "mean"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.Mean()


class Constant(StatelessSpec):
    """The sum of the gradients, each times a given weight, which tasks' own parameters do not feel."""

    type: Literal["constant"] = "constant"
    weights: dict[str, NonNegativeFloat] = {}
    """What a task's gradient counts, by the task's name; 1 for those that are not named."""

    def numbers(self, tasks: Sequence[str]) -> Sequence[float]:
        """The weights."""
        return by_task("weights", self.weights, tasks, 1.0)

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        assert numbers is not None  # noqa: S101  given above
        return aggregation.Constant(numbers)


class RandomGradient(StatelessSpec):
    """A mean of the gradients with random weights, drawn for every step (RLW; Lin et al., 2022).

    The softmax of standard normal draws from the run's seed. `random` draws weights for losses, in one backward
    pass; here tasks' own parameters do not feel them.
    """

    type: Literal["random-gradient"] = "random-gradient"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.Random()


class Krum(StatelessSpec):
    """The gradient that is nearest to the others (Krum; Blanchard et al., 2017), or the mean of some such.

    Made for training with participants who may lie; with honest tasks it follows the majority. Of fewer than
    three gradients it takes the mean.
    """

    type: Literal["krum"] = "krum"
    n_byzantine: NonNegativeInt = 1
    """How many gradients are not to be trusted; at most three fewer than there are in the batch."""
    n_selected: PositiveInt = 1
    """How many are chosen; their mean is taken."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator; a batch with labels of few tasks has room for fewer that lie."""
        from torchjd import aggregation

        if count < 3:
            return aggregation.Mean()
        return aggregation.Krum(min(self.n_byzantine, count - 3), min(self.n_selected, count))


class TrimmedMean(StatelessSpec):
    """The mean of the gradients, number by number, without the largest and smallest (Yin et al., 2018)."""

    type: Literal["trimmed-mean"] = "trimmed-mean"
    weighs: ClassVar[bool] = False
    trim_number: NonNegativeInt = 1
    """How many are left out at either end; so many that one or two are left, if the batch has too few tasks."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.TrimmedMean(min(self.trim_number, (count - 1) // 2))
