"""The linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import LAYOUTS, HeadSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class Linear(HeadSpec):
    """One linear layer; for a sequence or an image, on the mean of its tokens or positions."""

    type: Literal["linear"] = "linear"
    layouts: ClassVar[frozenset[Layout]] = frozenset(LAYOUTS)
    dropout: Probability = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer."""
        from mtl_core.builtins.heads.modules.linear import LinearHead

        return LinearHead(inputs, outputs, self.dropout)
