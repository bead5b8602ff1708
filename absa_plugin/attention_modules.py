"""The modules behind the attention heads. All of them give padding no weight at all."""

import math

import torch
from torch import nn

from mtl_core import Features, FeatureShape, MtlError
from mtl_core.model.heads import HeadGroup, HeadOutput


class AttentionPoolingGroup(HeadGroup):
    """Attention pooling for many tasks at once: shared keys, and a question and two layers a task, batched.

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        outputs: Numbers that each task needs.
        tasks: How many tasks.
        key_dim: Width of keys and questions.
        hidden_dim: Width of the layer before the outputs.
        dropout: Dropout before either layer.
        shared_layers: Whether two layers that all tasks share are added to each task's own.
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
        self.questions = nn.Parameter(torch.randn(tasks, key_dim) / math.sqrt(key_dim))
        self.hidden_weight = nn.Parameter(_uniform(tasks, inputs.width, hidden_dim))
        self.hidden_bias = nn.Parameter(torch.zeros(tasks, hidden_dim))
        self.output_weight = nn.Parameter(_uniform(tasks, hidden_dim, outputs))
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
        """All but what tasks share."""
        return [self.questions, self.hidden_weight, self.hidden_bias, self.output_weight, self.output_bias]

    def forward(self, features: Features, wanted: torch.Tensor | None = None) -> HeadOutput:
        """Pool the tokens for each task, then two layers of its own: outputs `(batch, tasks, outputs)`."""
        keys = torch.tanh(self.keys(features.values))
        attention = masked_softmax(torch.matmul(keys, self.questions.T).transpose(1, 2), features.mask)
        pooled = self.dropout(torch.bmm(attention, features.values))
        # (tasks, batch, width) lets each task's layer be one batched product.
        hidden = torch.baddbmm(self.hidden_bias.unsqueeze(1), pooled.transpose(0, 1), self.hidden_weight)
        outputs = torch.baddbmm(self.output_bias.unsqueeze(1), self.dropout(torch.relu(hidden)), self.output_weight)
        said = outputs.transpose(0, 1)
        return HeadOutput(said if self.shared is None else said + self.shared(pooled), attention)


class AttentionPooling(nn.Module):
    """Attention pooling for one task: a group of one."""

    def __init__(self, inputs: FeatureShape, outputs: int, key_dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.group = AttentionPoolingGroup(inputs, outputs, 1, key_dim, hidden_dim, dropout)

    def forward(self, features: Features) -> HeadOutput:
        """Outputs `(batch, outputs)`, attention `(batch, length)`."""
        result: HeadOutput = self.group(features)
        assert result.attention is not None  # noqa: S101  a pooling group always has it
        return HeadOutput(result.outputs[:, 0], result.attention[:, 0])


class SelfAttentionHead(nn.Module):
    """Multi-head self-attention, the mean over the tokens, two linear layers.

    The mean of the attended values equals the values under the mean attention, so values are projected once an
    example instead of once a token; the result is that of the textbook order.

    Args:
        inputs: Shape of the incoming features; they must be a sequence.
        outputs: Numbers that the task needs.
        attention_heads: Into how many parts the features are divided.
        hidden_dim: Width of the first linear layer.
        dropout: Dropout between the linear layers.

    Raises:
        MtlError: If the width cannot be divided.
    """

    def __init__(
        self, inputs: FeatureShape, outputs: int, attention_heads: int, hidden_dim: int, dropout: float
    ) -> None:
        super().__init__()
        _require_sequence(inputs, "self-attention")
        if inputs.width % attention_heads:
            raise MtlError(
                f"the head 'self-attention' divides {inputs.width} features into {attention_heads} parts; "
                "attention_heads must divide the backbone's width"
            )
        self.parts = attention_heads
        self.query_key = nn.Linear(inputs.width, 2 * inputs.width)
        self.value = nn.Linear(inputs.width, inputs.width)
        self.project = nn.Linear(inputs.width, inputs.width)
        self.layers = nn.Sequential(
            nn.Linear(inputs.width, hidden_dim), nn.Dropout(dropout), nn.Linear(hidden_dim, outputs)
        )

    def forward(self, features: Features) -> HeadOutput:
        """Outputs `(batch, outputs)`, attention `(batch, length)`: the mean over parts and over asking tokens."""
        values, mask = features.values, features.mask
        assert mask is not None  # noqa: S101  checked when built
        batch, length, width = values.shape
        query, key = self.query_key(values).view(batch, length, 2, self.parts, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.parts)
        attention = masked_softmax(scores, mask.unsqueeze(1))  # (batch, parts, asking, asked)
        asking = mask.to(values.dtype) / mask.sum(dim=1, keepdim=True)
        mean = torch.einsum("bpqk,bq->bpk", attention, asking)
        pooled = torch.bmm(mean, values)  # (batch, parts, width)
        weight = self.value.weight.view(self.parts, -1, width)
        mixed = torch.einsum("bpw,pdw->bpd", pooled, weight).reshape(batch, width) + self.value.bias
        return HeadOutput(self.layers(self.project(mixed)), mean.mean(dim=1))


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Softmax over the last dimension that gives padding exactly zero.

    Args:
        scores: `(batch, ..., length)`.
        mask: `(batch, length)` or `(batch, 1, length)`, True at tokens.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-2), float("-inf"))
    return torch.softmax(scores, dim=-1)


def _require_sequence(inputs: FeatureShape, head: str) -> None:
    if not inputs.sequence:
        raise MtlError(f"the head '{head}' reads tokens, but the backbone gives one vector an example")


def _uniform(tasks: int, width_in: int, width_out: int) -> torch.Tensor:
    """Initial weights as `nn.Linear` draws them."""
    bound = 1 / math.sqrt(width_in)
    return torch.empty(tasks, width_in, width_out).uniform_(-bound, bound)
