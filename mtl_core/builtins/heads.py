"""The head that fits any features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core.specs import HeadSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.model.features import FeatureShape


class Linear(HeadSpec):
    """One linear layer; over a sequence, on the mean of its tokens."""

    type: Literal["linear"] = "linear"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's layer."""
        from mtl_core.builtins.modules import LinearHead

        return LinearHead(inputs, outputs, self.dropout)
