"""The spec of multi-task attention networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class MTAN(ArchitectureSpec):
    """Multi-task attention network: one attention mask per task over shared features (Liu et al., CVPR 2019).

    All tasks share a stack of backbones. After each of them, a task multiplies the shared features by its attention
    mask: two convolutions of 1 x 1 and a sigmoid, which read the shared features and the masked features of the task
    after the backbone before. Masked features of another size are averaged to that of the next backbone. The features
    of images have one mask value per channel and position, those of texts per channel and token.

    In difference from the paper, the attention has no batch normalization, and no further convolution of 3 x 3 between
    blocks, so that the features of an example do not depend on the batch.

    Example:
        >>> MTAN(layers=2).type
        'mtan'
    """

    type: Literal["mtan"] = "mtan"
    layers: PositiveInt = 2
    """Number of backbones on top of each other; 1 for a backbone that cannot be stacked."""
    hidden_dim: PositiveInt | None = None
    """Channels between the two convolutions of an attention module; by default those of the backbone."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the shared backbones and the attention modules.

        Raises:
            MtlError: If the backbone cannot be stacked.
        """
        from mtl_architectures.mtan_module import AttentionNetwork

        return AttentionNetwork(parts, tasks, self.layers, self.hidden_dim)
