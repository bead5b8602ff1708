"""The linear head for tokens."""

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape


class TokenLinearHead(nn.Module):
    """Dropout and one linear layer on the features of every token."""

    def __init__(self, inputs: FeatureShape, outputs: int, dropout: float) -> None:
        super().__init__()
        require_sequence(inputs, "token-linear")
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs.width, outputs))

    def forward(self, features: Features) -> torch.Tensor:
        """Return logits `(batch, length, outputs)`."""
        logits: torch.Tensor = self.layers(features.values)
        return logits


def require_sequence(inputs: FeatureShape, head: str) -> None:
    """Raise an error for features without tokens.

    Raises:
        MtlError: If the features are not a sequence.
    """
    if not inputs.sequence:
        raise MtlError(f"the head '{head}' returns one output per token, but the backbone one vector per example")
