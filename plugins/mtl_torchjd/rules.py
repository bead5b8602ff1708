"""Rules that combine the gradients of several tasks into one."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torchjd.aggregation import Aggregator, WeightedAggregator

AggregatorFactory = Callable[[int, torch.Tensor | None], Aggregator]
"""Builds an aggregator from the number of tasks in the batch, and one parameter per task, `(tasks,)`, or None."""


@dataclass(frozen=True)
class AggregationResult:
    """The result of a rule.

    Attributes:
        gradient: The aggregated gradient, `(parameters,)`.
        weights: The weight of each task's gradient, `(tasks,)`; None if the result is not a weighted sum.
    """

    gradient: torch.Tensor
    weights: torch.Tensor | None = None


class AggregationRule(nn.Module):
    """Base class of rules that combine the gradients of the tasks with labels in a batch.

    State is in buffers with one row per task, so that checkpoints contain it; a step updates only the rows of its
    tasks. Random numbers come from torch's generators, which are seeded for every step.
    """

    @abstractmethod
    def forward(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        """Combine gradients.

        Args:
            jacobian: The Jacobian, `(active, parameters)`: one row per task.
            tasks: Indices of these tasks, `(active,)`, int64.
        """


class WeightedSumRule(AggregationRule):
    """Base class of rules whose result is a weighted sum of the gradients."""

    def forward(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        """Combine gradients; see `Rule`."""
        weights = self.compute_weights(jacobian, tasks)
        return AggregationResult(weights @ jacobian, weights)

    @abstractmethod
    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights, `(active,)`; see `Rule.forward` for the arguments."""


class _StatelessRule(AggregationRule):
    """A rule that builds an aggregator for each batch, for the tasks with labels in it.

    Args:
        make: Builds the aggregator.
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
        """Combine gradients; see `Rule`."""
        return AggregationResult(self._build_aggregator(tasks)(jacobian))


class WeightedAggregatorRule(_StatelessRule, WeightedSumRule):
    """The rule of an aggregator of TorchJD that is a weighted sum."""

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeighingRule`."""
        aggregator = self._build_aggregator(tasks)
        assert isinstance(aggregator, WeightedAggregator)  # noqa: S101  declared by its spec
        return aggregator.weighting(jacobian)
