"""Losses between numbers."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class NumberLoss(nn.Module):
    """The mean distance between an example's numbers and its label's; missing ones are left out.

    Args:
        distance: From outputs and targets of one shape to distances of that shape.
    """

    def __init__(self, distance: Distance) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """From `(n, outputs)` and `(n,)` or `(n, outputs)` to `(n,)`."""
        wanted = targets if targets.ndim == 2 else targets.unsqueeze(1)
        present = ~wanted.isnan()
        # Put the output itself in the place of a missing target before the loss: 0 times NaN would be NaN.
        filled = torch.where(present, wanted.to(outputs.dtype), outputs.detach())
        distances = self.distance(outputs, filled).masked_fill(~present, 0)
        return distances.sum(dim=1) / present.sum(dim=1).clamp_min(1)


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The square of the difference."""
    return F.mse_loss(outputs, targets, reduction="none")


def absolute(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The absolute difference."""
    return F.l1_loss(outputs, targets, reduction="none")


def huber(outputs: torch.Tensor, targets: torch.Tensor, delta: float) -> torch.Tensor:
    """Squared near 0, absolute beyond `delta`."""
    return F.huber_loss(outputs, targets, reduction="none", delta=delta)
