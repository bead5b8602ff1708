"""The input layer of features that are computed already."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mtl_core import Features, FeatureShape


@dataclass(frozen=True)
class StateBatch:
    """Texts as padded states.

    Attributes:
        values: `(batch, words, width)`, float32; zeros at padding.
        lengths: `(batch,)`, int64: words of each text, at least 1.
    """

    values: torch.Tensor
    lengths: torch.Tensor

    def to(self, device: torch.device) -> StateBatch:
        """Move to a device."""
        return StateBatch(self.values.to(device), self.lengths.to(device))


class States(nn.Module):
    """Gives states as features.

    Args:
        width: Numbers in a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = FeatureShape(width, sequence=True)

    def forward(self, batch: StateBatch) -> Features:
        """Features `(batch, words, width)` and their mask."""
        places = torch.arange(batch.values.shape[1], device=batch.values.device)
        return Features(batch.values, places < batch.lengths.unsqueeze(1))
