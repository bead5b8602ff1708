"""ExcessMTL with a memory of each task."""

from typing import Any

import torch
from torch import nn

from mtl_torchjd.rules import WeighingRule

FLOOR = 1e-7
"""Added to what is divided by."""


class ExcessRisks(WeighingRule):
    """Weights that move towards tasks with a large excess risk (equations 6, 7 and 9 of He et al., 2024).

    TorchJD's ExcessMTL begins anew when the number of tasks changes, and all its tasks have their first step at
    once. So the same is computed here for tasks that come and go. The weights of those in a batch sum to 1, and
    together they keep what they have of all tasks' weights.

    Args:
        tasks: How many tasks there are.
        rate: How fast weights move.
        warm_up: Steps in which they do not.
    """

    logits: torch.Tensor
    squares: torch.Tensor
    baseline: torch.Tensor
    collected: torch.Tensor
    counts: torch.Tensor
    steps: torch.Tensor

    def __init__(self, tasks: int, rate: float, warm_up: int) -> None:
        super().__init__()
        self._rate, self._warm_up = rate, warm_up
        for name in ("logits", "collected", "counts"):
            self.register_buffer(name, torch.zeros(tasks))
        self.register_buffer("baseline", torch.full((tasks,), torch.nan))
        self.register_buffer("squares", torch.zeros(tasks, 0))  # as wide as gradients, from the first step on
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_widen)  # type: ignore[no-untyped-call]

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Give the weights; see `WeighingRule`."""
        excess = self._excess(rows, tasks)
        self.steps += 1
        logits = self.logits[tasks]
        if self.steps <= self._warm_up:
            self.collected[tasks] += excess
            self.counts[tasks] += 1
            return torch.softmax(logits, dim=0)
        new, counts = self.baseline[tasks].isnan(), self.counts[tasks]
        mean = self.collected[tasks] / counts
        self.baseline[tasks] = torch.where(new, torch.where(counts > 0, mean, excess), self.baseline[tasks])
        # What is related to itself would be 1 for every task.
        related = torch.where(new & (counts == 0), excess, excess / (self.baseline[tasks] + FLOOR))
        shares = torch.log_softmax(logits + self._rate * related, dim=0)
        self.logits[tasks] = shares + logits.logsumexp(dim=0)
        return shares.exp()

    def _excess(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Estimate how far each loss is above its least, by a Hessian of which only the diagonal is looked at."""
        if not self.squares.shape[1]:
            self.squares = rows.new_zeros((len(self.squares), rows.shape[1]))
        squares = rows.square()
        self.squares[tasks] += squares
        return (squares / (self.squares[tasks] + FLOOR).sqrt()).sum(dim=1)


def _widen(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Make room for what a checkpoint holds."""
    module.squares = torch.zeros_like(state[f"{prefix}squares"])
