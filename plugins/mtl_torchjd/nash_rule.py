"""The rule of Nash-MTL, with state per task."""

import warnings

import torch
from torchjd.aggregation import NashMTL

from mtl_torchjd.rules import WeighingRule


class Bargaining(WeighingRule):
    """TorchJD's Nash-MTL, with one solver per number of tasks in a batch, started from their last weights.

    Args:
        tasks: Number of tasks.
        max_norm: Maximum norm of the aggregated gradient; 0 for no maximum.
        every: Number of steps between two updates of the weights.
        rounds: Maximum number of iterations of the solver.
    """

    alphas: torch.Tensor
    steps: torch.Tensor

    def __init__(self, tasks: int, max_norm: float, every: int, rounds: int) -> None:
        super().__init__()
        self._max_norm, self._every, self._rounds = max_norm, every, rounds
        self._solvers: dict[int, NashMTL] = {}
        self.register_buffer("alphas", torch.ones(tasks, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def weights(self, rows: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
        """Compute the weights; see `WeighingRule`."""
        step = int(self.steps)
        self.steps += 1
        if len(tasks) == 1 or not rows.any():  # one task, or only zeros: the solver fails
            return self._shortened(torch.ones_like(rows[:, 0]), rows)
        solver = self._solver(len(tasks)).weighting
        solver.step, solver.prvs_alpha = step, self.alphas[tasks].cpu().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the solver's formulation, which cannot be changed here
            weights: torch.Tensor = solver(rows)
        self.alphas[tasks] = torch.from_numpy(solver.prvs_alpha).to(self.alphas)
        return weights

    def _solver(self, tasks: int) -> NashMTL:
        if tasks not in self._solvers:
            made = NashMTL(tasks, self._max_norm, self._every, self._rounds)
            made.weighting._init_optim_problem()  # the solver only does this in its first step
            self._solvers[tasks] = made
        return self._solvers[tasks]

    def _shortened(self, weights: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.norm(weights @ rows)
        return weights * (self._max_norm / length) if 0 < self._max_norm < length else weights
