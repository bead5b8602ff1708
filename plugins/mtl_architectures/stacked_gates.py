"""The gates of all tasks as one linear layer."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class StackedGates(nn.Module):
    """One linear gate per task, stacked by task, so that all gates are one matrix product.

    All weights are initialized to zero, so that all experts have equal initial weights.

    Args:
        tasks: Number of tasks.
        width: Number of features that a gate reads.
        experts: Number of experts.
    """

    def __init__(self, tasks: int, width: int, experts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(tasks, experts, width))
        """`(tasks, experts, width)`."""
        self.bias = nn.Parameter(torch.zeros(tasks, experts))
        """`(tasks, experts)`."""

    def forward(self, inputs: torch.Tensor, active: Sequence[bool]) -> torch.Tensor:
        """Compute the weights of the experts.

        Args:
            inputs: `(batch, width)` for all tasks, or `(active tasks, batch, width)`.
            active: Whether each task's weights are needed.

        Returns:
            `(active tasks, batch, experts)`; the last dimension sums to 1.
        """
        weight, bias = select_active(self.weight, active), select_active(self.bias, active)
        scores = apply_task_layers(inputs, weight, bias)
        if inputs.ndim == 3:
            return scores.softmax(dim=2)
        return scores.transpose(0, 1).softmax(dim=2).transpose(0, 1)  # on contiguous memory: (batch, tasks, experts)


def mix_experts(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Mix the features of shared experts for each task.

    Args:
        weights: `(active tasks, batch, experts)`; a batch of 1 has equal weights for all examples.
        values: `(batch, experts, ...)`.

    Returns:
        `(active tasks, batch, ...)`, contiguous, so that the heads of all tasks read it without a copy.
    """
    if weights.shape[1] == 1:
        return torch.einsum("te,be...->tb...", weights[:, 0], values).contiguous()
    return torch.einsum("tbe,be...->tb...", weights, values).contiguous()


def apply_task_layers(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Apply one linear layer per task.

    Args:
        inputs: `(batch, width)` for all tasks, or `(tasks, batch, width)`.
        weight: `(tasks, outputs, width)`.
        bias: `(tasks, outputs)`.

    Returns:
        `(tasks, batch, outputs)`.
    """
    if inputs.ndim == 3:
        return torch.baddbmm(bias.unsqueeze(1), inputs, weight.transpose(1, 2))
    outputs = F.linear(inputs, weight.flatten(0, 1), bias.flatten())
    return outputs.view(len(inputs), *bias.shape).transpose(0, 1)


def select_active(stacked: torch.Tensor, active: Sequence[bool]) -> torch.Tensor:
    """Return the rows of the active tasks, `(active tasks, ...)`, of a tensor with one row per task."""
    if all(active):
        return stacked
    indices = [task for task, is_active in enumerate(active) if is_active]
    return stacked.index_select(0, torch.tensor(indices, device=stacked.device))
