"""The rule of Nash-MTL, with state per task."""

import warnings

import torch
from torchjd.aggregation import NashMTL

from mtl_torchjd.rule import WeightedSumRule


class NashMTLRule(WeightedSumRule):
    """TorchJD's Nash-MTL, with one solver per number of tasks in a batch, started from their last weights.

    Args:
        tasks: Number of tasks.
        max_norm: Maximum norm of the aggregated gradient; 0 for no maximum.
        update_interval: Number of steps between two updates of the weights.
        max_iterations: Maximum number of iterations of the solver.
    """

    alphas: torch.Tensor
    steps: torch.Tensor

    def __init__(self, tasks: int, max_norm: float, update_interval: int, max_iterations: int) -> None:
        super().__init__()
        self._max_norm, self._update_interval, self._max_iterations = max_norm, update_interval, max_iterations
        self._solvers: dict[int, NashMTL] = {}
        self.register_buffer("alphas", torch.ones(tasks, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def compute_weights(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeightedSumRule`."""
        step = int(self.steps)
        self.steps += 1
        if len(tasks) == 1 or not jacobian.any():  # one task, or only zeros: the solver fails
            return self._clip_norm(torch.ones_like(jacobian[:, 0]), jacobian)
        solver = self._get_solver(len(tasks)).weighting
        solver.step, solver.prvs_alpha = step, self.alphas[tasks].cpu().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the solver's formulation, which cannot be changed here
            weights: torch.Tensor = solver(jacobian)
        self.alphas[tasks] = torch.from_numpy(solver.prvs_alpha).to(self.alphas)
        return weights

    def _get_solver(self, n_tasks: int) -> NashMTL:
        if n_tasks not in self._solvers:
            solver = NashMTL(n_tasks, self._max_norm, self._update_interval, self._max_iterations)
            solver.weighting._init_optim_problem()  # the solver only does this in its first step
            self._solvers[n_tasks] = solver
        return self._solvers[n_tasks]

    def _clip_norm(self, weights: torch.Tensor, jacobian: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.norm(weights @ jacobian)
        return weights * (self._max_norm / length) if 0 < self._max_norm < length else weights
