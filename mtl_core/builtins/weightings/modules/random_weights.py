"""Random loss weighting (RLW)."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weightings.modules.task_weights import DeclaredWeights
from mtl_core.training.losses import TaskLosses


class RandomWeights(DeclaredWeights):
    """Weighting that samples weights in every step.

    Args:
        tasks: The tasks' names; a task's sample does not depend on its position in the experiment file.
        weights: Each task's declared weight.
    """

    draws: torch.Tensor

    def __init__(self, tasks: Sequence[str], weights: Sequence[float]) -> None:
        super().__init__(weights)
        self._order = sorted(range(len(tasks)), key=lambda index: tasks[index])
        # Sampled from the step's seed, so there is nothing to save.
        self.register_buffer("draws", torch.zeros(len(tasks)), persistent=False)

    def on_step_start(self, step: int, total: int, seed: int) -> None:
        """Sample the weights of the step."""
        samples = torch.randn(len(self._order), generator=torch.Generator().manual_seed(seed))
        self.draws[self._order] = samples.to(self.draws.device)

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        shares = torch.softmax(self.draws[losses.tasks], dim=0) * len(losses.tasks)
        return (losses.values * self.weights[losses.tasks] * shares).sum()
