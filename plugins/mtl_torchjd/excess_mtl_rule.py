"""The rule of ExcessMTL, with state per task."""

from typing import Any

import torch
from torch import nn

from mtl_torchjd.rule import WeightedSumRule

EPSILON = 1e-7
"""Added to denominators."""


class ExcessMTLRule(WeightedSumRule):
    """Weights that move towards tasks with a large excess risk (equations 6, 7 and 9 of He et al., 2024).

    TorchJD's ExcessMTL resets its state when the number of tasks changes, and all its tasks have the same first
    step. This rule computes the same if each batch has labels of different tasks. The weights of the tasks in a
    batch sum to 1; an update preserves their share of all tasks' weights.

    Args:
        tasks: Number of tasks.
        step_size: Step size of the weights.
        warmup_steps: Number of initial steps with constant weights.
    """

    logits: torch.Tensor
    squares: torch.Tensor
    baseline: torch.Tensor
    collected: torch.Tensor
    counts: torch.Tensor
    steps: torch.Tensor

    def __init__(self, tasks: int, step_size: float, warmup_steps: int) -> None:
        super().__init__()
        self._step_size, self._warmup_steps = step_size, warmup_steps
        for name in ("logits", "collected", "counts"):
            self.register_buffer(name, torch.zeros(tasks))
        self.register_buffer("baseline", torch.full((tasks,), torch.nan))
        self.register_buffer("squares", torch.zeros(tasks, 0))  # as wide as gradients after the first step
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_resize_buffer)  # type: ignore[no-untyped-call]

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        excess = self._estimate_excess_risk(jacobian, tasks)
        self.steps += 1
        logits = self.logits[tasks]
        if self.steps <= self._warmup_steps:
            self.collected[tasks] += excess
            self.counts[tasks] += 1
            return torch.softmax(logits, dim=0)
        is_new, counts = self.baseline[tasks].isnan(), self.counts[tasks]
        mean = self.collected[tasks] / counts
        self.baseline[tasks] = torch.where(is_new, torch.where(counts > 0, mean, excess), self.baseline[tasks])
        # The ratio to itself would be 1 for every task.
        ratios = torch.where(is_new & (counts == 0), excess, excess / (self.baseline[tasks] + EPSILON))
        shares = torch.log_softmax(logits + self._step_size * ratios, dim=0)
        self.logits[tasks] = shares + logits.logsumexp(dim=0)
        return shares.exp()

    def _estimate_excess_risk(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Estimate the excess risk of each loss with a diagonal approximation of the Hessian."""
        if not self.squares.shape[1]:
            self.squares = jacobian.new_zeros((len(self.squares), jacobian.shape[1]))
        squares = jacobian.square()
        self.squares[tasks] += squares
        return (squares / (self.squares[tasks] + EPSILON).sqrt()).sum(dim=1)


def _resize_buffer(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Resize the buffer to its shape in a checkpoint."""
    module.squares = torch.zeros_like(state[f"{prefix}squares"])
