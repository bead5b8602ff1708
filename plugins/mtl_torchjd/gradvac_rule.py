"""The rule of GradVac, with state per pair of tasks."""

import torch
from torchjd.aggregation import GradVac

from mtl_torchjd.rule import WeightedSumRule


class GradVacRule(WeightedSumRule):
    """TorchJD's GradVac, with target cosines that persist when the tasks of a batch change.

    Args:
        tasks: Number of tasks.
        beta: Weight of a step in the moving averages.
        eps: Added to denominators.
    """

    cosines: torch.Tensor

    def __init__(self, tasks: int, beta: float, eps: float) -> None:
        super().__init__()
        self._beta, self._eps = beta, eps
        self.register_buffer("cosines", torch.zeros(tasks, tasks))

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        aggregator = GradVac(self._beta, self._eps)
        state = aggregator.gramian_weighting
        pairs = (tasks.unsqueeze(1), tasks)
        targets = self.cosines[pairs].to("cpu", jacobian.dtype)
        state._phi_t = targets  # type: ignore[assignment]
        state._state_key = (len(tasks), jacobian.dtype)
        weights = aggregator.weighting(jacobian)
        self.cosines[pairs] = targets.to(self.cosines)  # updated in place
        return weights
