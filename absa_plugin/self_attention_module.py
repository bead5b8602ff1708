"""The module of the self-attention head."""

import math

import torch
from torch import nn

from absa_plugin.masked_softmax import masked_softmax
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn import HeadOutput


class SelfAttentionHead(nn.Module):
    """Multi-head self-attention, the mean over the tokens, two linear layers.

    The mean of the attended values equals the values weighted by the mean attention, so values are projected once
    per example instead of once per token, with the same result.

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        outputs: Number of outputs of the task.
        attention_heads: Number of attention heads.
        hidden_dim: Width of the first linear layer.
        dropout: Dropout between the linear layers.

    Raises:
        MtlError: If `attention_heads` does not divide the width, or the features are not a sequence.
    """

    def __init__(
        self, inputs: FeatureShape, outputs: int, attention_heads: int, hidden_dim: int, dropout: float
    ) -> None:
        super().__init__()
        if not inputs.sequence:
            raise MtlError("the head 'self-attention' reads tokens, but the backbone returns one vector per example")
        if inputs.width % attention_heads:
            raise MtlError(
                f"the head 'self-attention' cannot divide {inputs.width} features into {attention_heads} parts; "
                "attention_heads must divide the backbone's width"
            )
        self.num_heads = attention_heads
        self.query_key = nn.Linear(inputs.width, 2 * inputs.width)
        self.value = nn.Linear(inputs.width, inputs.width)
        self.project = nn.Linear(inputs.width, inputs.width)
        self.layers = nn.Sequential(
            nn.Linear(inputs.width, hidden_dim), nn.Dropout(dropout), nn.Linear(hidden_dim, outputs)
        )

    def forward(self, features: Features) -> HeadOutput:
        """Return outputs `(batch, outputs)` and attention `(batch, length)`, averaged over heads and queries."""
        values, mask = features.values, features.mask
        assert mask is not None  # noqa: S101  checked when built
        batch, length, width = values.shape
        query, key = self.query_key(values).view(batch, length, 2, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.num_heads)
        attention = masked_softmax(scores, mask.unsqueeze(1))  # (batch, heads, queries, keys)
        query_weights = mask.to(values.dtype) / mask.sum(dim=1, keepdim=True)
        mean_attention = torch.einsum("bpqk,bq->bpk", attention, query_weights)
        pooled = torch.bmm(mean_attention, values)  # (batch, heads, width)
        weight = self.value.weight.view(self.num_heads, -1, width)
        context = torch.einsum("bpw,pdw->bpd", pooled, weight).reshape(batch, width) + self.value.bias
        return HeadOutput(self.layers(self.project(context)), mean_attention.mean(dim=1))
