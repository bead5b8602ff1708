"""The rule of CR-MOGM: weights smoothed over steps."""

import torch

from mtl_torchjd.rule import WeightedSumRule


class CRMOGMRule(WeightedSumRule):
    """TorchJD's CRMOGMWeighting, with state per task: `alpha * last + (1 - alpha) * new`.

    Args:
        tasks: Number of tasks.
        rule: Computes the new weights.
        alpha: Weight of the last weights.
    """

    last: torch.Tensor

    def __init__(self, tasks: int, rule: WeightedSumRule, alpha: float) -> None:
        super().__init__()
        self.rule, self._alpha = rule, alpha
        self.register_buffer("last", torch.full((tasks,), torch.nan))

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        new, last = self.rule.compute_weights(jacobian, tasks), self.last[tasks]
        weights = self._alpha * torch.where(last.isnan(), new, last) + (1 - self._alpha) * new
        self.last[tasks] = weights.to(self.last)
        return weights
