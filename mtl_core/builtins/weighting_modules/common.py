"""What the weightings have in common: declared weights, losses near 0, and small numbers that Adam moves."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.training.weighting import Weighting

FLOOR = 1e-8
"""Where a loss is divided by or its logarithm is taken, it counts as at least so much."""


class DeclaredWeights(Weighting):
    """A weighting that knows the tasks' declared weights.

    Args:
        weights: Each task's `weight` from the experiment.
    """

    weights: torch.Tensor

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights), persistent=False)


def floored(values: torch.Tensor) -> torch.Tensor:
    """Lift losses to at least `FLOOR`. Their gradient stays, so that those below it are still made smaller."""
    return values + (FLOOR - values).clamp_min(0).detach()


class RowAdam(nn.Module):
    """Adam (Kingma and Ba, 2015) for one number a task, of which only some move in a step.

    A number that does not move keeps its moments and its count of steps as well. All of them are buffers, so they
    are saved in checkpoints with the weighting that they belong to.

    Args:
        numbers: How many there are.
        lr: Learning rate.
    """

    first: torch.Tensor
    second: torch.Tensor
    steps: torch.Tensor

    def __init__(self, numbers: int, lr: float) -> None:
        super().__init__()
        self.lr = lr
        for name in ("first", "second", "steps"):
            self.register_buffer(name, torch.zeros(numbers))

    def step(self, numbers: torch.Tensor, places: torch.Tensor, slopes: torch.Tensor) -> None:
        """Move some of the numbers, in place.

        Args:
            numbers: `(numbers,)`: all of them.
            places: `(some,)`, int64: those that move.
            slopes: `(some,)`: their gradient.
        """
        steps = self.steps[places] + 1
        first = 0.9 * self.first[places] + 0.1 * slopes
        second = 0.999 * self.second[places] + 0.001 * slopes.square()
        self.steps[places], self.first[places], self.second[places] = steps, first, second
        size = (second / (1 - 0.999**steps)).sqrt() + 1e-8
        numbers[places] -= self.lr * first / (1 - 0.9**steps) / size
