"""The cosine loss."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class CosineLoss(nn.Module):
    """1 minus the cosine similarity; missing numbers of a target are left out."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, outputs)` and targets `(n,)` or `(n, outputs)`."""
        targets_2d = targets if targets.ndim == 2 else targets.unsqueeze(1)
        present = ~targets_2d.isnan()
        return 1 - F.cosine_similarity(
            outputs.masked_fill(~present, 0), targets_2d.to(outputs.dtype).masked_fill(~present, 0), dim=1
        )
