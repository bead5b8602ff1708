"""Common parts of weightings: task weights, a lower bound of losses, and Adam for per-task scalars."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.training.weighting import Weighting

MIN_LOSS = 1e-8
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


def clamp_losses(values: torch.Tensor) -> torch.Tensor:
    """Clamp losses to at least `FLOOR` without changing their gradient, so that smaller losses still decrease."""
    return values + (MIN_LOSS - values).clamp_min(0).detach()


class ScalarAdam(nn.Module):
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

    def __init__(self, n_scalars: int, lr: float) -> None:
        super().__init__()
        self.lr = lr
        for name in ("first", "second", "steps"):
            self.register_buffer(name, torch.zeros(n_scalars))

    def step(self, scalars: torch.Tensor, indices: torch.Tensor, grads: torch.Tensor) -> None:
        """Update some of the scalars in place.

        Args:
            scalars: `(numbers,)`: all scalars.
            indices: `(some,)`, int64: indices of the scalars to update.
            grads: `(some,)`: their gradients.
        """
        steps = self.steps[indices] + 1
        exp_avg = 0.9 * self.first[indices] + 0.1 * grads
        exp_avg_sq = 0.999 * self.second[indices] + 0.001 * grads.square()
        self.steps[indices], self.first[indices], self.second[indices] = steps, exp_avg, exp_avg_sq
        denom = (exp_avg_sq / (1 - 0.999**steps)).sqrt() + 1e-8
        scalars[indices] -= self.lr * exp_avg / (1 - 0.9**steps) / denom
