"""Cross entropy."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class CrossEntropyLoss(nn.Module):
    """Cross entropy per example, with label smoothing (Szegedy et al., 2016)."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, classes)` and targets `(n,)`."""
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=self.label_smoothing)
