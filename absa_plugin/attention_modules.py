"""The modules of the attention heads. Padding has attention weight zero in all of them."""

import math

import torch
from torch import nn

from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn.heads import HeadGroup, HeadOutput


class AttentionPoolingGroup(HeadGroup):
    """Attention pooling for a group of tasks: shared keys, one query and two layers per task, batched.

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        outputs: Number of outputs per task.
        tasks: Number of tasks.
        key_dim: Width of keys and queries.
        hidden_dim: Width of the layer before the outputs.
        dropout: Dropout before each of the two layers.
        shared_layers: Whether the output of two shared layers is added to that of each task's layers.
    """

    def __init__(
        self,
        inputs: FeatureShape,
        outputs: int,
        tasks: int,
        key_dim: int,
        hidden_dim: int,
        dropout: float,
        shared_layers: bool = False,
    ) -> None:
        super().__init__()
        _require_sequence(inputs, "attention")
        self.keys = nn.Linear(inputs.width, key_dim)
        self.queries = nn.Parameter(torch.randn(tasks, key_dim) / math.sqrt(key_dim))
        self.hidden_weight = nn.Parameter(_sample_uniform(tasks, inputs.width, hidden_dim))
        self.hidden_bias = nn.Parameter(torch.zeros(tasks, hidden_dim))
        self.output_weight = nn.Parameter(_sample_uniform(tasks, hidden_dim, outputs))
        self.output_bias = nn.Parameter(torch.zeros(tasks, outputs))
        self.dropout = nn.Dropout(dropout)
        self.shared: nn.Module | None = None
        if shared_layers:
            layers = (
                nn.Linear(inputs.width, hidden_dim),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden_dim, outputs),
            )
            self.shared = nn.Sequential(*layers)

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the task."""
        return [self.queries, self.hidden_weight, self.hidden_bias, self.output_weight, self.output_bias]

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return outputs `(batch, tasks, outputs)` and attention `(batch, tasks, length)`."""
        keys = torch.tanh(self.keys(features.values))
        attention = masked_softmax(torch.matmul(keys, self.queries.T).transpose(1, 2), features.mask)
        pooled = self.dropout(torch.bmm(attention, features.values))
        # As (tasks, batch, width), the layers of all tasks are one batched matrix product.
        hidden = torch.baddbmm(self.hidden_bias.unsqueeze(1), pooled.transpose(0, 1), self.hidden_weight)
        outputs = torch.baddbmm(self.output_bias.unsqueeze(1), self.dropout(torch.relu(hidden)), self.output_weight)
        batch_outputs = outputs.transpose(0, 1)
        return HeadOutput(batch_outputs if self.shared is None else batch_outputs + self.shared(pooled), attention)


class AttentionPooling(nn.Module):
    """Attention pooling for one task: a group of one."""

    def __init__(self, inputs: FeatureShape, outputs: int, key_dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.group = AttentionPoolingGroup(inputs, outputs, 1, key_dim, hidden_dim, dropout)

    def forward(self, features: Features) -> HeadOutput:
        """Return outputs `(batch, outputs)` and attention `(batch, length)`."""
        result: HeadOutput = self.group(features)
        assert result.attention is not None  # noqa: S101  a pooling group always has it
        return HeadOutput(result.outputs[:, 0], result.attention[:, 0])


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
        _require_sequence(inputs, "self-attention")
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


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Compute the softmax over the last dimension, with exactly zero at padding.

    Args:
        scores: `(batch, ..., length)`.
        mask: `(batch, length)` or `(batch, 1, length)`, True at tokens.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-2), float("-inf"))
    return torch.softmax(scores, dim=-1)


def _require_sequence(inputs: FeatureShape, head: str) -> None:
    if not inputs.sequence:
        raise MtlError(f"the head '{head}' reads tokens, but the backbone returns one vector per example")


def _sample_uniform(tasks: int, width_in: int, width_out: int) -> torch.Tensor:
    """Sample initial weights from the distribution that `nn.Linear` uses."""
    bound = 1 / math.sqrt(width_in)
    return torch.empty(tasks, width_in, width_out).uniform_(-bound, bound)
