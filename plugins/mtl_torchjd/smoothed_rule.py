"""The rule of CR-MOGM: weights smoothed over steps."""

import torch

from mtl_torchjd.rules import WeighingRule


class SmoothedWeights(WeighingRule):
    """TorchJD's CRMOGMWeighting, with state per task: `alpha * last + (1 - alpha) * new`.

    Args:
        tasks: Number of tasks.
        rule: Computes the new weights.
        alpha: Weight of the last weights.
    """

    last: torch.Tensor

    def __init__(self, tasks: int, rule: WeighingRule, alpha: float) -> None:
        super().__init__()
        self.rule, self._alpha = rule, alpha
        self.register_buffer("last", torch.full((tasks,), torch.nan))

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeighingRule`."""
        new, last = self.rule.weights(rows, tasks), self.last[tasks]
        weights = self._alpha * torch.where(last.isnan(), new, last) + (1 - self._alpha) * new
        self.last[tasks] = weights.to(self.last)
        return weights
