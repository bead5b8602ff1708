"""The input layer of precomputed features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from mtl_core import Features, FeatureShape


@dataclass(frozen=True)
class StateBatch:
    """A batch of texts as padded states.

    Attributes:
        values: `(batch, words, width)`, float32; zero for padding.
        lengths: `(batch,)`, int64: number of words of each text, at least 1.
    """

    values: torch.Tensor
    lengths: torch.Tensor

    def to(self, device: torch.device) -> StateBatch:
        """Move the batch to a device."""
        return StateBatch(self.values.to(device), self.lengths.to(device))


class PrecomputedFeatures(nn.Module):
    """An input layer that returns states as features.

    Args:
        width: Size of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = FeatureShape(width, sequence=True)

    def forward(self, batch: StateBatch) -> Features:
        """Return features `(batch, words, width)` and their mask."""
        positions = torch.arange(batch.values.shape[1], device=batch.values.device)
        return Features(batch.values, positions < batch.lengths.unsqueeze(1))
