"""The spec of the head on the maximum over positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core import HeadSpec, Layout, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape


class MaxPool(HeadSpec):
    """One linear layer on the maximum of each feature over the positions of an image (Oquab et al., 2015).

    For labels that depend on whether something is anywhere in the image: a small object changes a maximum as much as a
    large one, but the mean, which `linear` reads, only a little.
    """

    type: Literal["max-pool"] = "max-pool"
    layouts: ClassVar[frozenset[Layout]] = frozenset({"spatial"})
    dropout: Probability = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer."""
        from mtl_images.max_pool_module import MaxPoolLayer

        return MaxPoolLayer(inputs, outputs, self.dropout)
