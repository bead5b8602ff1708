"""The spec of the residual network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveInt

from mtl_core import BackboneSpec, Layout, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape


class ResidualCNN(BackboneSpec):
    """A small residual network (He et al., 2016): a convolution, then stages of residual blocks of 3 x 3 convolutions.

    Each stage after the first halves height and width. The defaults have 0.7 million parameters.
    """

    type: Literal["residual-cnn"] = "residual-cnn"
    layouts: ClassVar[frozenset[Layout]] = frozenset({"spatial"})
    channels: list[PositiveInt] = Field(default=[32, 64, 128], min_length=1)
    """Channels of each stage."""
    blocks: PositiveInt = 1
    """Residual blocks per stage."""
    stem_stride: Literal[1, 2, 4] = 1
    """Stride of the first convolution; 2 or 4 makes large images cheap."""
    normalization: Literal["batch", "group"] = "batch"
    """`batch` (Ioffe and Szegedy, 2015): as in the paper; each rank of distributed training has its own statistics.
    `group` (Wu and He, 2018): features do not depend on the rest of the batch, for batches of a few large images."""
    dropout: Probability = 0.0
    """Dropout probability of whole channels after the last stage."""
    output: Literal["pooled", "spatial"] = "pooled"
    """`pooled`: one vector per image, the mean over positions. `spatial`: the feature map, for labels per pixel."""

    def get_output_layout(self, inputs: Layout) -> Layout:
        """Return the layout of `output`."""
        return "spatial" if self.output == "spatial" else "vector"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the module.

        Raises:
            MtlError: If images are too small for the number of stages.
        """
        from mtl_images.residual_cnn_module import ResidualNetwork

        return ResidualNetwork(
            inputs,
            self.channels,
            self.blocks,
            self.stem_stride,
            self.normalization,
            self.dropout,
            is_pooled=self.output == "pooled",
        )
