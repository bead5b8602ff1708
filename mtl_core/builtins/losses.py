"""Losses for classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat

from mtl_core.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(LossSpec):
    """Cross entropy, with label smoothing if asked for (Szegedy et al., 2016)."""

    type: Literal["cross-entropy"] = "cross-entropy"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How much probability is spread over the other classes."""

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.modules import CrossEntropyLoss

        return CrossEntropyLoss(self.smoothing)


class Focal(LossSpec):
    """Focal loss: examples that are already right count less (Lin et al., 2017)."""

    type: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0
    """How much less; 0 is cross entropy."""

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.modules import FocalLoss

        return FocalLoss(self.gamma)
