"""Losses of task kinds with a fixed loss."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class SigmoidLoss(nn.Module):
    """Binary cross entropy of one output."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, 1)` and codes `(n,)`."""
        return F.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")


class ThresholdLoss(nn.Module):
    """Mean binary cross entropy over the thresholds of an ordinal scale (Frank and Hall, 2001)."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, classes - 1)` and codes `(n,)`."""
        thresholds = torch.arange(outputs.shape[1], device=outputs.device)
        above = (targets.unsqueeze(1) > thresholds).to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, above, reduction="none").mean(dim=1)


class IndicatorLoss(nn.Module):
    """Mean binary cross entropy over the labels of a multi-label task."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, labels)` and indicators `(n, labels)`."""
        return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), reduction="none").mean(dim=1)


class BagLoss(nn.Module):
    """Mean negative log-likelihood of an input's words (Zhao et al., 2017)."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from logits and indicators `(n, words)`; 0 for an input without words."""
        indicators = targets.to(outputs.dtype)
        target_distribution = indicators / indicators.sum(dim=1, keepdim=True).clamp_min(1)
        return -(torch.log_softmax(outputs, dim=1) * target_distribution).sum(dim=1)
