"""The rule of priority-constrained descent, with state per task."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torchjd.aggregation import PCDWeighting

from mtl_torchjd.rule import WeightedSumRule


class PCDRule(WeightedSumRule):
    """TorchJD's PCD, with one moving average per task that persists when the tasks of a batch change.

    Args:
        primary: Index of the primary task.
        taus: The guaranteed share of each task; the primary task's entry is ignored.
        beta: Decay of the moving averages.
        eps: Added to the moving averages before division.
    """

    taus: torch.Tensor
    squares: torch.Tensor
    seen: torch.Tensor

    def __init__(self, primary: int, taus: Sequence[float], beta: float, eps: float) -> None:
        super().__init__()
        self._primary, self._beta, self._eps = primary, beta, eps
        self.register_buffer("taus", torch.tensor(taus, dtype=torch.float64), persistent=False)
        self.register_buffer("squares", torch.zeros(len(taus), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(len(taus), dtype=torch.int64))

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        is_primary = tasks == self._primary
        if not is_primary.any():
            return torch.ones_like(jacobian[:, 0])
        order = torch.argsort(~is_primary, stable=True)  # the primary task first
        ordered_tasks = tasks[order]
        ordered_jacobian = jacobian[order]
        ordered_weights = _StatefulPCDWeighting(self, ordered_tasks)(ordered_jacobian @ ordered_jacobian.T)
        return torch.empty_like(ordered_weights).index_copy(0, order, ordered_weights)

    def compute_scales(self, tasks: torch.Tensor, square_norms: torch.Tensor) -> torch.Tensor:
        """Update the moving averages of squared norms, and return the factor of each gradient, `(active,)`."""
        self.seen[tasks] += 1
        averages = self._beta * self.squares[tasks] + (1 - self._beta) * square_norms.to(self.squares.device)
        self.squares[tasks] = averages
        unbiased = (averages / (1 - self._beta ** self.seen[tasks].double())).to(square_norms)
        roots = (unbiased + self._eps).sqrt()
        return torch.where(roots > 0, 1 / roots, 0.0)


class _StatefulPCDWeighting(PCDWeighting):
    """TorchJD's weighting of PCD, with the scales of an external state."""

    def __init__(self, rule: PCDRule, tasks: torch.Tensor) -> None:
        super().__init__(rule.taus[tasks[1:]], rule._beta, rule._eps)
        self._scales: Callable[[torch.Tensor], torch.Tensor] = partial(rule.compute_scales, tasks)

    def _update_scales(self, sq_norms: torch.Tensor) -> torch.Tensor:
        return self._scales(sq_norms)
