"""The recurrent decoder."""

import torch
from torch import nn

from mtl_core.builtins.heads.modules.token_linear import require_sequence
from mtl_core.nn.features import Features, FeatureShape


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
