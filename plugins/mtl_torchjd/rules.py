"""Rules that combine the gradients of several tasks into one."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torchjd.aggregation import Aggregator, WeightedAggregator

Make = Callable[[int, torch.Tensor | None], Aggregator]
"""Builds an aggregator from the number of tasks in the batch, and one parameter per task, `(tasks,)`, or None."""


@dataclass(frozen=True)
class Combined:
    """The result of a rule.

    Attributes:
        gradient: The aggregated gradient, `(parameters,)`.
        weights: The weight of each task's gradient, `(tasks,)`; None if the result is not a weighted sum.
    """

    gradient: torch.Tensor
    weights: torch.Tensor | None = None


class Rule(nn.Module):
    """Base class of rules that combine the gradients of the tasks with labels in a batch.

    State is in buffers with one row per task, so that checkpoints contain it; a step updates only the rows of its
    tasks. Random numbers come from torch's generators, which are seeded for every step.
    """

    @abstractmethod
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine gradients.

        Args:
            rows: The Jacobian, `(active, parameters)`: one row per task.
            tasks: Indices of these tasks, `(active,)`, int64.
        """


class WeighingRule(Rule):
    """Base class of rules whose result is a weighted sum of the gradients."""

    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine gradients; see `Rule`."""
        weights = self.weights(rows, tasks)
        return Combined(weights @ rows, weights)

    @abstractmethod
    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights, `(active,)`; see `Rule.forward` for the arguments."""


class _Stateless(Rule):
    """A rule that builds an aggregator for each batch, for the tasks with labels in it.

    Args:
        make: Builds the aggregator.
        numbers: One parameter of the aggregator per task; None if it has none.
    """

    numbers: torch.Tensor | None

    def __init__(self, make: Make, numbers: Sequence[float] | None) -> None:
        super().__init__()
        self._make = make
        self.register_buffer("numbers", None if numbers is None else torch.tensor(numbers), persistent=False)

    def _made(self, tasks: torch.Tensor) -> Aggregator:
        return self._make(len(tasks), None if self.numbers is None else self.numbers[tasks])


class ByAggregator(_Stateless):
    """The rule of an aggregator of TorchJD that is not a weighted sum."""

    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine gradients; see `Rule`."""
        return Combined(self._made(tasks)(rows))


class ByWeighting(_Stateless, WeighingRule):
    """The rule of an aggregator of TorchJD that is a weighted sum."""

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeighingRule`."""
        aggregator = self._made(tasks)
        assert isinstance(aggregator, WeightedAggregator)  # noqa: S101  declared by its spec
        return aggregator.weighting(rows)
