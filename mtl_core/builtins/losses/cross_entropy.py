"""Cross entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(LossSpec):
    """Cross entropy with optional label smoothing (Szegedy et al., 2016)."""

    type: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Probability = 0.0
    """Probability mass that is spread over all classes."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.losses.modules.cross_entropy import CrossEntropyLoss

        return CrossEntropyLoss(self.label_smoothing)
