"""The linear head."""

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class LinearHead(nn.Module):
    """Dropout and one linear layer on the (pooled) features of an example."""

    def __init__(self, inputs: FeatureShape, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs.width, outputs))

    def forward(self, features: Features) -> torch.Tensor:
        """Return logits `(batch, outputs)`."""
        logits: torch.Tensor = self.layers(features.mean_pool())
        return logits
