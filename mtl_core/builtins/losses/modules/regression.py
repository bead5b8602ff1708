"""Regression losses."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.errors import MtlError

Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class RegressionLoss(nn.Module):
    """Mean distance between the outputs and the targets of an example; missing targets are left out.

    Args:
        distance: Function from outputs and targets of equal shape to distances of that shape.
    """

    def __init__(self, distance: Distance) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, outputs)` and targets `(n,)` or `(n, outputs)`.

        Raises:
            MtlError: If targets are not floats, or their number differs from the number of outputs.
        """
        if not targets.is_floating_point():
            raise MtlError(f"numbers must be float targets, in which NaN marks a missing one; found {targets.dtype}")
        targets_2d = targets if targets.ndim == 2 else targets.unsqueeze(1)
        if outputs.shape != targets_2d.shape:
            raise MtlError(f"{outputs.shape[1]} outputs for {targets_2d.shape[1]} numbers per label")
        present = ~targets_2d.isnan()
        # Replace a missing target by the output itself before the loss: 0 times NaN would be NaN.
        filled = torch.where(present, targets_2d.to(outputs.dtype), outputs.detach())
        distances = self.distance(outputs, filled).masked_fill(~present, 0)
        return distances.sum(dim=1) / present.sum(dim=1).clamp_min(1)


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return squared differences."""
    return F.mse_loss(outputs, targets, reduction="none")


def absolute_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return absolute differences."""
    return F.l1_loss(outputs, targets, reduction="none")


def huber_loss(outputs: torch.Tensor, targets: torch.Tensor, delta: float) -> torch.Tensor:
    """Return Huber distances: squared near 0, absolute beyond `delta`."""
    return F.huber_loss(outputs, targets, reduction="none", delta=delta)
