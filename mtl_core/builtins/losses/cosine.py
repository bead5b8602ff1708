"""The cosine loss of directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class CosineDistance(LossSpec):
    """1 minus the cosine of the angle between outputs and labels, for vectors whose length does not matter."""

    type: Literal["cosine"] = "cosine"

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.losses.modules.cosine import CosineLoss

        return CosineLoss()
