"""The self-attention heads of several tasks."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from absa_plugin.masked_softmax import masked_softmax
from absa_plugin.self_attention_module import SelfAttentionHead
from mtl_core import Features, FeatureShape
from mtl_core.nn import HeadGroup, HeadOutput


class SelfAttentionGroup(HeadGroup):
    """Multi-head self-attention, the mean over the tokens and two linear layers for each task of a group, batched.

    The initial weights are those of one `SelfAttentionHead` per task, and so is the result.

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        outputs: Number of outputs per task.
        tasks: Number of tasks.
        attention_heads: Number of attention heads.
        hidden_dim: Width of the first linear layer.
        dropout: Dropout between the linear layers.

    Raises:
        MtlError: If `attention_heads` does not divide the width, or the features are not a sequence.
    """

    def __init__(
        self, inputs: FeatureShape, outputs: int, tasks: int, attention_heads: int, hidden_dim: int, dropout: float
    ) -> None:
        super().__init__()
        heads = [SelfAttentionHead(inputs, outputs, attention_heads, hidden_dim, dropout) for _ in range(tasks)]
        self.num_heads = attention_heads
        self.query_key = StackedLayer([head.query_key for head in heads])
        self.value = StackedLayer([head.value for head in heads])
        self.project = StackedLayer([head.project for head in heads])
        self.hidden = StackedLayer([head.layers[0] for head in heads])
        self.output = StackedLayer([head.layers[2] for head in heads])
        self.dropout = nn.Dropout(dropout)

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return all parameters: the first dimension of each is the task."""
        return list(self.parameters())

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return outputs `(batch, tasks, outputs)` and attention `(batch, tasks, length)`."""
        values, mask = features.values, features.mask
        assert mask is not None  # noqa: S101  checked when built
        batch, length, width = values.shape
        n_tasks, n_heads = len(self.value.weight), self.num_heads
        query_key = self.query_key.apply_to_all(values).view(batch, length, n_tasks, 2, n_heads, -1)
        query, key = query_key.permute(3, 0, 2, 4, 1, 5)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // n_heads)
        attention = masked_softmax(scores, mask.view(batch, 1, 1, length))  # (batch, tasks, heads, queries, keys)
        query_weights = mask.to(values.dtype) / mask.sum(dim=1, keepdim=True)
        mean_attention = torch.einsum("btpqk,bq->btpk", attention, query_weights)
        pooled = torch.bmm(mean_attention.flatten(1, 2), values).view(batch, n_tasks, n_heads, width)
        value_weight = self.value.weight.view(n_tasks, n_heads, -1, width)
        context = torch.einsum("btpw,tpdw->btpd", pooled, value_weight).flatten(2) + self.value.bias
        hidden = self.hidden(self.project(context.transpose(0, 1)))  # (tasks, batch, hidden)
        outputs = self.output(self.dropout(hidden)).transpose(0, 1)
        return HeadOutput(outputs, mean_attention.mean(dim=2))


class StackedLayer(nn.Module):
    """One linear layer per task.

    Args:
        layers: Linear layers of equal size, whose weights are the initial weights.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        linear_layers = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in linear_layers]))
        """`(tasks, outputs, inputs)`, float32."""
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in linear_layers]))
        """`(tasks, outputs)`, float32."""

    def apply_to_all(self, values: torch.Tensor) -> torch.Tensor:
        """Apply the layer of every task to the same values `(..., inputs)`; return `(..., tasks * outputs)`."""
        return nn.functional.linear(values, self.weight.flatten(0, 1), self.bias.flatten())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Apply the layer of each task to its values `(tasks, batch, inputs)`; return `(tasks, batch, outputs)`."""
        return torch.baddbmm(self.bias.unsqueeze(1), values, self.weight.transpose(1, 2))
