"""Adam for one scalar per task."""

import torch
from torch import nn


class ScalarAdam(nn.Module):
    """Adam (Kingma and Ba, 2015) for one scalar per task, with updates of a subset per step.

    A scalar that is not updated keeps its moments and its step count. All state is in buffers, so checkpoints save
    it with the weighting.

    Args:
        n_scalars: Number of scalars.
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
            scalars: `(n_scalars,)`: all scalars.
            indices: `(some,)`, int64: indices of the scalars to update.
            grads: `(some,)`: their gradients.
        """
        steps = self.steps[indices] + 1
        exp_avg = 0.9 * self.first[indices] + 0.1 * grads
        exp_avg_sq = 0.999 * self.second[indices] + 0.001 * grads.square()
        self.steps[indices], self.first[indices], self.second[indices] = steps, exp_avg, exp_avg_sq
        denom = (exp_avg_sq / (1 - 0.999**steps)).sqrt() + 1e-8
        scalars[indices] -= self.lr * exp_avg / (1 - 0.9**steps) / denom
