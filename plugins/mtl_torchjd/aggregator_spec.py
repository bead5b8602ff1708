"""What the specs of all aggregators have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from mtl_core import MtlError, WeightingSpec
from mtl_core.errors import did_you_mean, listed
from mtl_core.packages import what_is_missing

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_core.training.weighting import Weighting
    from mtl_torchjd.rules import Rule

EXTRA = "'mtl-core[torchjd]'"


class AggregatorSpec(WeightingSpec):
    """A weighting that makes one gradient of those that the tasks have at the parameters that they share.

    Options are called as in TorchJD.
    """

    balances_gradients: ClassVar[bool] = True
    modules: ClassVar[Mapping[str, str]] = {}
    """Modules that this aggregator needs besides torchjd, each with what `pip` installs for it."""
    weighs: ClassVar[bool] = True
    """Whether its gradient is a sum of the tasks' gradients, each times a weight."""

    def needs(self) -> Mapping[str, str]:
        """Modules that must be there."""
        return {"torchjd": EXTRA, **self.modules}

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weighting.

        Raises:
            MtlError: If a package is missing, or an option names a task that does not exist.
        """
        if flaw := what_is_missing(self.needs()):
            raise MtlError(f"weighting: the type '{self.type}' {flaw}")
        from mtl_torchjd.aggregation import GradientAggregation

        return GradientAggregation(self.type, tasks, weights, self.rule(tasks))

    @abstractmethod
    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make what combines gradients.

        Args:
            tasks: The tasks' names.

        Raises:
            MtlError: If an option names a task that does not exist.
        """


class StatelessSpec(AggregatorSpec):
    """An aggregator that remembers nothing, so that it can be made anew for the tasks of each batch."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make what combines gradients; see `AggregatorSpec`."""
        from mtl_torchjd.rules import ByAggregator, ByWeighting

        rule = ByWeighting if self.weighs else ByAggregator
        return rule(self.aggregator, self.numbers(tasks))

    @abstractmethod
    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make TorchJD's aggregator of some tasks' gradients.

        Args:
            count: How many tasks have labels in the batch.
            numbers: `(count,)`: what `numbers` says of them.
        """

    def numbers(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """A number a task that the aggregator is made with; None, the default, if there is none."""
        return None


def by_task(option: str, given: Mapping[str, float], tasks: Sequence[str], other: float) -> list[float]:
    """Lay out what an option says of tasks by their names.

    Args:
        option: The option's name.
        given: Task name to number.
        tasks: The tasks' names.
        other: The number of those that are not named.

    Raises:
        MtlError: If a task is named that does not exist.
    """
    for name in given:
        known_task(option, name, tasks)
    return [given.get(task, other) for task in tasks]


def known_task(option: str, name: str, tasks: Sequence[str]) -> int:
    """Give a task's place.

    Raises:
        MtlError: If it does not exist.
    """
    if name not in tasks:
        raise MtlError(
            f"weighting.{option}: there is no main task '{name}'{did_you_mean(name, tasks)} "
            f"(main tasks: {listed(tasks)})"
        )
    return list(tasks).index(name)
