"""Fast adaptive multitask optimisation (FAMO)."""

from collections.abc import Callable, Sequence

import torch

from mtl_core.builtins.weighting_modules.common import DeclaredWeights, RowAdam, floored
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses


class EvenProgress(DeclaredWeights):
    """Weighting that decreases the logarithms of the tasks' losses at equal rates.

    Args:
        weights: Each task's declared weight.
        lr: Learning rate of the logits.
        gamma: Strength of the decay of logits towards 0.
        same_batch: Whether a step's effect is measured on its own batch, at the cost of a forward pass, instead of
            on the next one.
    """

    logits: torch.Tensor
    last: torch.Tensor

    def __init__(self, weights: Sequence[float], lr: float, gamma: float, same_batch: bool) -> None:
        super().__init__(weights)
        self.gamma, self.same_batch = gamma, same_batch
        self.adam = RowAdam(len(weights), lr)
        self.register_buffer("logits", torch.zeros(len(weights)))
        self.register_buffer("last", torch.full((len(weights),), torch.nan))

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        shares, values = self._shares(losses.tasks), floored(losses.values)
        return (values.log() * shares).sum() / (shares / values.detach()).sum()

    def backward(self, losses: TaskLosses, extra: torch.Tensor | None, gradients: StepGradients) -> None:
        """Update the logits by the decrease of the losses since the last steps, then run the backward pass."""
        logs = floored(losses.values.detach()).log()
        if not self.same_batch:
            self._move(losses.tasks, logs)
        super().backward(losses, extra, gradients)
        self.last[losses.tasks] = logs

    def stepped(self, again: Callable[[], TaskLosses]) -> None:
        """With `same_batch`, update the logits by the decrease of the losses on the same batch."""
        if self.same_batch:
            losses = again()
            self._move(losses.tasks, floored(losses.values.detach()).log())

    def _shares(self, tasks: torch.Tensor) -> torch.Tensor:
        """Return each task's share of the direction; the shares sum to 1."""
        return torch.softmax(self.logits[tasks] + self.weights[tasks].log(), dim=0)

    def _move(self, tasks: torch.Tensor, logs: torch.Tensor) -> None:
        """Lower the logits of tasks whose losses decreased faster than the average, relative to their weights."""
        falls = (self.last[tasks] - logs) / self.weights[tasks]
        known = falls.isfinite()
        if known.sum() < 2:  # a single task has nothing to compare with
            return
        tasks, falls = tasks[known], falls[known]
        shares = self._shares(tasks)
        slopes = shares * (falls - (shares * falls).sum())
        self.adam.step(self.logits, tasks, slopes + self.gamma * self.logits[tasks])
