"""What makes one gradient of several."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torchjd.aggregation import Aggregator, WeightedAggregator

Make = Callable[[int, torch.Tensor | None], Aggregator]
"""From the number of tasks in the batch, and a number for each of them if there is one, to an aggregator."""


@dataclass(frozen=True)
class Combined:
    """What was made of several gradients.

    Attributes:
        gradient: `(numbers,)`.
        weights: `(tasks,)`: what each gradient counted in it; None if it is no sum of them.
    """

    gradient: torch.Tensor
    weights: torch.Tensor | None = None


class Rule(nn.Module):
    """Combines the gradients of the tasks that have labels in a batch.

    What it remembers of tasks are buffers, a row a task, so that a checkpoint holds them; those of other tasks stay
    as they are. Random draws come from torch's generators, which are seeded for every step.
    """

    @abstractmethod
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine.

        Args:
            rows: `(active, numbers)`: the Jacobian, a row a task.
            tasks: `(active,)`, int64: which tasks they are.
        """


class WeighingRule(Rule):
    """Adds gradients up, each times a weight."""

    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine; see `Rule`."""
        weights = self.weights(rows, tasks)
        return Combined(weights @ rows, weights)

    @abstractmethod
    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Give the weights `(active,)`; arguments are those of `Rule.forward`."""


class _Stateless(Rule):
    """Has an aggregator that is made anew for each batch, for the tasks that have labels in it.

    Args:
        make: Makes it.
        numbers: A number a task that it is made with; None if there is none.
    """

    numbers: torch.Tensor | None

    def __init__(self, make: Make, numbers: Sequence[float] | None) -> None:
        super().__init__()
        self._make = make
        self.register_buffer("numbers", None if numbers is None else torch.tensor(numbers), persistent=False)

    def _made(self, tasks: torch.Tensor) -> Aggregator:
        return self._make(len(tasks), None if self.numbers is None else self.numbers[tasks])


class ByAggregator(_Stateless):
    """Combines by an aggregator of TorchJD that is no weighted sum."""

    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        """Combine; see `Rule`."""
        return Combined(self._made(tasks)(rows))


class ByWeighting(_Stateless, WeighingRule):
    """Combines by an aggregator of TorchJD that is a weighted sum."""

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Give the weights; see `WeighingRule`."""
        aggregator = self._made(tasks)
        assert isinstance(aggregator, WeightedAggregator)  # noqa: S101  its spec says so
        return aggregator.weighting(rows)
