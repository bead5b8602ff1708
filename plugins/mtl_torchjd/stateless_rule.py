"""The rules of aggregators of TorchJD without state."""

from collections.abc import Callable, Sequence

import torch
from torchjd.aggregation import Aggregator, WeightedAggregator

from mtl_torchjd.rule import AggregationResult, AggregationRule, WeightedSumRule

AggregatorFactory = Callable[[int, torch.Tensor | None], Aggregator]
"""Builds an aggregator from the number of tasks in the batch, and one parameter per task, `(tasks,)`, or None."""


class _StatelessRule(AggregationRule):
    """A rule that builds an aggregator for each batch, for the tasks with labels in it.

    Args:
        factory: Builds the aggregator.
        task_values: One parameter of the aggregator per task; None if it has none.
    """

    task_values: torch.Tensor | None

    def __init__(self, factory: AggregatorFactory, task_values: Sequence[float] | None) -> None:
        super().__init__()
        self._factory = factory
        self.register_buffer(
            "task_values", None if task_values is None else torch.tensor(task_values), persistent=False
        )

    def _build_aggregator(self, tasks: torch.Tensor) -> Aggregator:
        return self._factory(len(tasks), None if self.task_values is None else self.task_values[tasks])


class AggregatorRule(_StatelessRule):
    """The rule of an aggregator of TorchJD that is not a weighted sum."""

    def forward(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        """Combine gradients; see `AggregationRule`."""
        return AggregationResult(self._build_aggregator(tasks)(jacobian))


class WeightedAggregatorRule(_StatelessRule, WeightedSumRule):
    """The rule of an aggregator of TorchJD that is a weighted sum."""

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        aggregator = self._build_aggregator(tasks)
        assert isinstance(aggregator, WeightedAggregator)  # noqa: S101  declared by its spec
        return aggregator.weighting(jacobian)
