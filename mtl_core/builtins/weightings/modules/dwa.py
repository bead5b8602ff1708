"""Dynamic weight average (DWA)."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.weightings.modules.task_weights import MIN_LOSS, DeclaredWeights
from mtl_core.training.losses import TaskLosses


class DynamicAverage(DeclaredWeights):
    """Weighting by the change of each task's mean loss between epochs.

    Args:
        weights: Each task's declared weight.
        temperature: Softmax temperature.
    """

    last: torch.Tensor
    before: torch.Tensor
    factors: torch.Tensor

    def __init__(self, weights: Sequence[float], temperature: float) -> None:
        super().__init__(weights)
        self.temperature = temperature
        self.register_buffer("last", torch.full((len(weights),), torch.nan))
        self.register_buffer("before", torch.full((len(weights),), torch.nan))
        self.register_buffer("factors", torch.ones(len(weights)))

    def on_epoch_end(self, means: Sequence[float | None]) -> None:
        """Update the factors. A task without labels in the epoch keeps its last two mean losses."""
        epoch_losses = torch.tensor([torch.nan if mean is None else mean for mean in means]).to(self.last)
        has_loss = ~epoch_losses.isnan()
        self.before = torch.where(has_loss, self.last, self.before)
        self.last = torch.where(has_loss, epoch_losses, self.last)
        rates = self.last.clamp_min(MIN_LOSS) / self.before.clamp_min(MIN_LOSS)
        # Before its second epoch, a task's rate is 1; a task of weight 0 is left out of the softmax.
        rates = torch.where(rates.isnan(), 1.0, rates) / self.temperature
        has_weight = self.weights > 0
        rates = rates.masked_fill(~has_weight, -torch.inf)
        self.factors = torch.softmax(rates, dim=0) * has_weight.sum()

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar loss."""
        return (losses.values * (self.weights * self.factors)[losses.tasks]).sum()
