"""The modules of the head `gradient-reversal`."""

from typing import Any

import torch
from torch import nn

from mtl_core import Features
from mtl_core.nn import HeadGroup, HeadOutput


class _GradientReversal(torch.autograd.Function):
    """Identity in the forward pass; the gradient times `-strength` in the backward pass."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(features: Features, strength: float) -> Features:
    """Return equal features whose gradient is multiplied by `-strength` in the backward pass."""
    return Features(_GradientReversal.apply(features.values, strength), features.mask)  # type: ignore[no-untyped-call]


class GradientReversalHead(nn.Module):
    """The head of one task behind a gradient reversal layer.

    Args:
        inner: The head.
        strength: Factor of the reversed gradient.
    """

    def __init__(self, inner: nn.Module, strength: float) -> None:
        super().__init__()
        self.inner = inner
        self.strength = strength

    def forward(self, features: Features) -> torch.Tensor | HeadOutput:
        """Return the output of the head."""
        outputs: torch.Tensor | HeadOutput = self.inner(reverse_gradient(features, self.strength))
        return outputs


class GradientReversalHeadGroup(HeadGroup):
    """A head group behind a gradient reversal layer.

    Args:
        inner: The head group.
        strength: Factor of the reversed gradient.
    """

    inner: HeadGroup

    def __init__(self, inner: HeadGroup, strength: float) -> None:
        super().__init__()
        self.inner = inner
        self.strength = strength

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return the output of the head group."""
        outputs: HeadOutput = self.inner(reverse_gradient(features, self.strength), output_mask)
        return outputs

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the stacked parameters of the inner head group."""
        return self.inner.stacked_parameters()

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters of one task in the inner head group."""
        return self.inner.task_parameters(task)
