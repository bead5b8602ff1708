"""Focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core.plugins.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class Focal(LossSpec):
    """Focal loss: well-classified examples have less weight (Lin et al., 2017)."""

    type: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0
    """Strength of the down-weighting; 0 is cross entropy."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.losses.modules.focal import FocalLoss

        return FocalLoss(self.gamma)
