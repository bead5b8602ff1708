"""Common parts of weightings: task weights, a lower bound of losses, and Adam for per-task scalars."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.training.weighting import Weighting

FLOOR = 1e-8
"""Lower bound of a loss before a division or a logarithm."""


class DeclaredWeights(Weighting):
    """Base class of weightings that use the configured task weights.

    Args:
        weights: Each task's `weight` from the experiment.
    """

    weights: torch.Tensor

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights), persistent=False)


def floored(values: torch.Tensor) -> torch.Tensor:
    """Clamp losses to at least `FLOOR` without changing their gradient, so that smaller losses still decrease."""
    return values + (FLOOR - values).clamp_min(0).detach()


class RowAdam(nn.Module):
    """Adam (Kingma and Ba, 2015) for one scalar per task, with updates of a subset per step.

    A scalar that is not updated keeps its moments and its step count. All state is in buffers, so checkpoints save
    it with the weighting.

    Args:
        numbers: Number of scalars.
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
        """Update some of the scalars in place.

        Args:
            numbers: `(numbers,)`: all scalars.
            places: `(some,)`, int64: indices of the scalars to update.
            slopes: `(some,)`: their gradients.
        """
        steps = self.steps[places] + 1
        first = 0.9 * self.first[places] + 0.1 * slopes
        second = 0.999 * self.second[places] + 0.001 * slopes.square()
        self.steps[places], self.first[places], self.second[places] = steps, first, second
        size = (second / (1 - 0.999**steps)).sqrt() + 1e-8
        numbers[places] -= self.lr * first / (1 - 0.9**steps) / size
