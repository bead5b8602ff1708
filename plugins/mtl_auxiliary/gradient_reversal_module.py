"""The modules behind the head `gradient-reversal`."""

from typing import Any

import torch
from torch import nn

from mtl_core import Features
from mtl_core.model.heads import HeadGroup, HeadOutput


class _Reverse(torch.autograd.Function):
    """Nothing on the way forward; on the way back, the gradient times minus `strength`."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradients[0], None


def reversed_features(features: Features, strength: float) -> Features:
    """The same features; whoever made them gets the gradient of what reads these times minus `strength`."""
    return Features(_Reverse.apply(features.values, strength), features.mask)  # type: ignore[no-untyped-call]


class ReversedHead(nn.Module):
    """One task's head behind a reversal.

    Args:
        inner: The head.
        strength: What the turned gradient is multiplied with.
    """

    def __init__(self, inner: nn.Module, strength: float) -> None:
        super().__init__()
        self.inner = inner
        self.strength = strength

    def forward(self, features: Features) -> torch.Tensor | HeadOutput:
        """What the head says."""
        said: torch.Tensor | HeadOutput = self.inner(reversed_features(features, self.strength))
        return said


class ReversedHeads(HeadGroup):
    """A group's module behind a reversal.

    Args:
        inner: The group's module.
        strength: What the turned gradient is multiplied with.
    """

    inner: HeadGroup

    def __init__(self, inner: HeadGroup, strength: float) -> None:
        super().__init__()
        self.inner = inner
        self.strength = strength

    def forward(self, features: Features, wanted: torch.Tensor | None = None) -> HeadOutput:
        """What the group says."""
        said: HeadOutput = self.inner(reversed_features(features, self.strength), wanted)
        return said

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Those of the group within."""
        return self.inner.stacked_parameters()

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Those of the group within."""
        return self.inner.task_parameters(task)
