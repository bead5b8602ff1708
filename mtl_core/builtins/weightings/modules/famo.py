"""Fast adaptive multitask optimisation (FAMO)."""

from collections.abc import Callable, Sequence

import torch

from mtl_core.builtins.weightings.modules.scalar_adam import ScalarAdam
from mtl_core.builtins.weightings.modules.task_weights import DeclaredWeights, clamp_losses
from mtl_core.training.losses import TaskLosses
from mtl_core.training.task_gradients import TaskGradients


class FamoWeighting(DeclaredWeights):
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
        self.adam = ScalarAdam(len(weights), lr)
        self.register_buffer("logits", torch.zeros(len(weights)))
        self.register_buffer("last", torch.full((len(weights),), torch.nan))

    @property
    def recomputes_losses(self) -> bool:
        """Whether a step's effect is measured on its own batch."""
        return self.same_batch

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        shares, values = self._compute_shares(losses.tasks), clamp_losses(losses.values)
        return (values.log() * shares).sum() / (shares / values.detach()).sum()

    def backward(self, losses: TaskLosses, extra_loss: torch.Tensor | None, gradients: TaskGradients) -> None:
        """Update the logits by the decrease of the losses since the last steps, then run the backward pass."""
        log_losses = clamp_losses(losses.values.detach()).log()
        if not self.same_batch:
            self._update_logits(losses.tasks, log_losses)
        super().backward(losses, extra_loss, gradients)
        self.last[losses.tasks] = log_losses

    def on_step_end(self, recompute_losses: Callable[[], TaskLosses]) -> None:
        """With `same_batch`, update the logits by the decrease of the losses on the same batch."""
        if self.same_batch:
            losses = recompute_losses()
            self._update_logits(losses.tasks, clamp_losses(losses.values.detach()).log())

    def _compute_shares(self, tasks: torch.Tensor) -> torch.Tensor:
        """Return each task's share of the direction; the shares sum to 1."""
        return torch.softmax(self.logits[tasks] + self.weights[tasks].log(), dim=0)

    def _update_logits(self, tasks: torch.Tensor, log_losses: torch.Tensor) -> None:
        """Lower the logits of tasks whose losses decreased faster than the average, relative to their weights."""
        decreases = (self.last[tasks] - log_losses) / self.weights[tasks]
        is_known = decreases.isfinite()
        if is_known.sum() < 2:  # a single task has nothing to compare with
            return
        tasks, decreases = tasks[is_known], decreases[is_known]
        shares = self._compute_shares(tasks)
        grads = shares * (decreases - (shares * decreases).sum())
        self.adam.step(self.logits, tasks, grads + self.gamma * self.logits[tasks])
