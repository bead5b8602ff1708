"""Base classes of the rules that combine the gradients of several tasks into one."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import nn


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
        """Combine gradients; see `AggregationRule`."""
        weights = self.compute_weights(jacobian, tasks)
        return AggregationResult(weights @ jacobian, weights)

    @abstractmethod
    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights, `(active,)`; see `AggregationRule.forward` for the arguments."""
