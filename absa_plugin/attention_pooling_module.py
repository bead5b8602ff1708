"""The modules of the attention pooling head."""

import math

import torch
from torch import nn

from absa_plugin.masked_softmax import masked_softmax
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn import HeadGroup, HeadOutput


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
        if not inputs.sequence:
            raise MtlError("the head 'attention' reads tokens, but the backbone returns one vector per example")
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


def _sample_uniform(tasks: int, width_in: int, width_out: int) -> torch.Tensor:
    """Sample initial weights from the distribution that `nn.Linear` uses."""
    bound = 1 / math.sqrt(width_in)
    return torch.empty(tasks, width_in, width_out).uniform_(-bound, bound)
