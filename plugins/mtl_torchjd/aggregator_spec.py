"""Base classes of the specs of aggregators."""

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
    """A weighting that aggregates the tasks' gradients of the shared parameters.

    Options have the same names as in TorchJD.
    """

    balances_gradients: ClassVar[bool] = True
    modules: ClassVar[Mapping[str, str]] = {}
    """Modules that this aggregator requires in addition to torchjd: module to requirement for `pip install`."""
    weighs: ClassVar[bool] = True
    """Whether the aggregated gradient is a weighted sum of the tasks' gradients."""

    def needs(self) -> Mapping[str, str]:
        """Return the required modules: module to requirement for `pip install`."""
        return {"torchjd": EXTRA, **self.modules}

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting.

        Raises:
            MtlError: If a package is missing, or an option names a task that does not exist.
        """
        if flaw := what_is_missing(self.needs()):
            raise MtlError(f"weighting: the type '{self.type}' {flaw}")
        from mtl_torchjd.aggregation import GradientAggregation

        return GradientAggregation(self.type, tasks, weights, self.rule(tasks))

    @abstractmethod
    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule that combines gradients.

        Args:
            tasks: The tasks' names.

        Raises:
            MtlError: If an option names a task that does not exist.
        """


class StatelessSpec(AggregatorSpec):
    """An aggregator without state, which is built again for the tasks of each batch."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Build the rule that combines gradients; see `AggregatorSpec`."""
        from mtl_torchjd.rules import ByAggregator, ByWeighting

        rule = ByWeighting if self.weighs else ByAggregator
        return rule(self.aggregator, self.numbers(tasks))

    @abstractmethod
    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator for the tasks of a batch.

        Args:
            count: Number of tasks with labels in the batch.
            numbers: `(count,)`: their entries of `numbers`; None if there are none.
        """

    def numbers(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return one parameter of the aggregator per task; None, the default, if it has none."""
        return None


def by_task(option: str, given: Mapping[str, float], tasks: Sequence[str], other: float) -> list[float]:
    """Convert an option from task names to a list in the order of the tasks.

    Args:
        option: The option's name, for messages.
        given: Task name to number.
        tasks: The tasks' names.
        other: The default for tasks that are not in `given`.

    Raises:
        MtlError: If `given` contains a task that does not exist.
    """
    for name in given:
        known_task(option, name, tasks)
    return [given.get(task, other) for task in tasks]


def known_task(option: str, name: str, tasks: Sequence[str]) -> int:
    """Return a task's index.

    Raises:
        MtlError: If it does not exist.
    """
    if name not in tasks:
        raise MtlError(
            f"weighting.{option}: there is no main task '{name}'{did_you_mean(name, tasks)} "
            f"(main tasks: {listed(tasks)})"
        )
    return list(tasks).index(name)
