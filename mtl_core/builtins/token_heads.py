"""Modules of token-level heads."""

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


class SequenceDecoderHead(nn.Module):
    """A GRU that reads the mean of the tokens at every step and predicts one word per step.

    It does not receive the previous words: the pooled vector must contain all information.
    """

    def __init__(self, inputs: FeatureShape, outputs: int, hidden_dim: int) -> None:
        super().__init__()
        require_sequence(inputs, "sequence-decoder")
        self.rnn = nn.GRU(inputs.width, hidden_dim, batch_first=True)
        self.layer = nn.Linear(hidden_dim, outputs)

    def forward(self, features: Features) -> torch.Tensor:
        """Return logits `(batch, length, outputs)`."""
        summary = features.mean_pool().unsqueeze(1).expand(-1, features.values.shape[1], -1)
        states, _ = self.rnn(summary.contiguous())
        logits: torch.Tensor = self.layer(states)
        return logits


def require_sequence(inputs: FeatureShape, head: str) -> None:
    """Raise an error for features without tokens.

    Raises:
        MtlError: If the features are not a sequence.
    """
    if not inputs.sequence:
        raise MtlError(f"the head '{head}' returns one output per token, but the backbone one vector per example")
