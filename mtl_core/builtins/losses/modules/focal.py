"""Focal loss."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class FocalLoss(nn.Module):
    """Focal loss: cross entropy with less weight on well-classified examples (Lin et al., 2017)."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, classes)` and targets `(n,)`."""
        losses = F.cross_entropy(outputs, targets, reduction="none")
        return losses * (1 - torch.exp(-losses)).clamp_min(1e-8) ** self.gamma
