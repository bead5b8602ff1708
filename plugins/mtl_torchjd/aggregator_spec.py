"""Base classes of the specs of aggregators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core import MtlError, WeightingSpec, describe_missing_packages, did_you_mean, join_names

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_core.training import Weighting
    from mtl_torchjd.rule import AggregationRule

EXTRA = "'mtl-core[torchjd]'"


class AggregatorSpec(WeightingSpec):
    """A weighting that aggregates the tasks' gradients of the shared parameters.

    Options have the same names as in TorchJD, except `gradients`.
    """

    balances_gradients: ClassVar[bool] = True
    modules: ClassVar[Mapping[str, str]] = {}
    """Modules that this aggregator requires in addition to torchjd: module to requirement for `pip install`."""
    is_weighted_sum: ClassVar[bool] = True
    """Whether the aggregated gradient is a weighted sum of the tasks' gradients."""
    gradients: Literal["parameters", "features"] = "parameters"
    """The gradients that are combined: with respect to the shared parameters, one backward pass per task; or with
    respect to the features that all heads read, one backward pass in total (Sener and Koltun, 2018)."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules: module to requirement for `pip install`."""
        return {"torchjd": EXTRA, **self.modules}

    def list_packages(self) -> Sequence[str]:
        """Return TorchJD."""
        return ("torchjd",)

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting.

        Raises:
            MtlError: If a package is missing, or an option names a task that does not exist.
        """
        if missing := describe_missing_packages(self.list_required_packages()):
            raise MtlError(f"weighting: the type '{self.type}' {missing}")
        from mtl_torchjd.gradient_aggregation import GradientAggregation

        return GradientAggregation(self.type, tasks, weights, self.build_rule(tasks), self.gradients)

    @abstractmethod
    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule that combines gradients.

        Args:
            tasks: The tasks' names.

        Raises:
            MtlError: If an option names a task that does not exist.
        """


class StatelessSpec(AggregatorSpec):
    """An aggregator without state, which is built again for the tasks of each batch."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule that combines gradients; see `AggregatorSpec`."""
        from mtl_torchjd.stateless_rule import AggregatorRule, WeightedAggregatorRule

        rule = WeightedAggregatorRule if self.is_weighted_sum else AggregatorRule
        return rule(self.build_aggregator, self.get_task_values(tasks))

    @abstractmethod
    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator for the tasks of a batch.

        Args:
            n_tasks: Number of tasks with labels in the batch.
            task_values: `(n_tasks,)`: the entries of `get_task_values` for these tasks; None if there are none.
        """

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return one parameter of the aggregator per task; None, the default, if it has none."""
        return None


def order_by_task(
    option: str, values_by_task: Mapping[str, float], tasks: Sequence[str], default: float
) -> list[float]:
    """Convert an option from task names to a list in the order of the tasks.

    Args:
        option: The option's name, for messages.
        values_by_task: Task name to number.
        tasks: The tasks' names.
        default: The default for tasks that are not in `values_by_task`.

    Raises:
        MtlError: If `values_by_task` contains a task that does not exist.
    """
    for name in values_by_task:
        find_task_index(option, name, tasks)
    return [values_by_task.get(task, default) for task in tasks]


def find_task_index(option: str, name: str, tasks: Sequence[str]) -> int:
    """Return a task's index.

    Raises:
        MtlError: If it does not exist.
    """
    if name not in tasks:
        raise MtlError(
            f"weighting.{option}: there is no main task '{name}'{did_you_mean(name, tasks)} "
            f"(main tasks: {join_names(tasks)})"
        )
    return list(tasks).index(name)
