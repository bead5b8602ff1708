"""The convolutional head for pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeInt, PositiveInt

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import HeadSpec, Layout, Level

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape
    from mtl_core.nn.heads import HeadGroup


class DenseConv(HeadSpec):
    """A 3 x 3 convolution, ReLU, one linear layer per position, and bilinear upsampling to the size of the image.

    Tasks of one head group are computed together.
    """

    type: Literal["dense-conv"] = "dense-conv"
    level: ClassVar[Level] = "pixel"
    layouts: ClassVar[frozenset[Layout]] = frozenset({"spatial"})
    hidden_dim: NonNegativeInt = 64
    """Number of hidden channels; 0 leaves the convolution out."""
    dilation: PositiveInt = 1
    """Distance between the positions that the convolution reads; more than 1 widens its view."""
    dropout: Probability = 0.0
    """Dropout of whole channels before the last layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layers; see `build_group`."""
        from mtl_core.builtins.heads.modules.single_head import SingleHead

        return SingleHead(self.build_group(inputs, outputs, 1))

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        """Build the layers of all tasks."""
        from mtl_core.builtins.heads.modules.dense_conv import DenseConvGroup

        return DenseConvGroup(inputs, outputs, tasks, self.hidden_dim, self.dilation, self.dropout)
