"""Weights that are smoothed over the steps."""

import torch

from mtl_torchjd.rules import WeighingRule


class SmoothedWeights(WeighingRule):
    """What TorchJD's CRMOGMWeighting does, for tasks that come and go: `alpha * last + (1 - alpha) * new`.

    Args:
        tasks: How many tasks there are.
        rule: Gives the new ones.
        alpha: What the last ones count.
    """

    last: torch.Tensor

    def __init__(self, tasks: int, rule: WeighingRule, alpha: float) -> None:
        super().__init__()
        self.rule, self._alpha = rule, alpha
        self.register_buffer("last", torch.full((tasks,), torch.nan))

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Give the weights; see `WeighingRule`."""
        new, last = self.rule.weights(rows, tasks), self.last[tasks]
        weights = self._alpha * torch.where(last.isnan(), new, last) + (1 - self._alpha) * new
        self.last[tasks] = weights.to(self.last)
        return weights
