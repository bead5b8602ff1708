"""A network whose trunk is not trained."""

from collections.abc import Sequence
from typing import Self

from mtl_core.nn.architecture import Architecture
from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.network import MultiTaskNetwork


class FrozenTrunkNetwork(MultiTaskNetwork):
    """A network of which only the heads are trained.

    The trunk has no gradients, and stays in evaluation mode during training: no dropout, and no update of the
    statistics of batch normalization.

    Args:
        trunk: The trained trunk.
        groups: The head groups.
        group_sizes: The number of tasks per head group.
    """

    def __init__(self, trunk: Architecture, groups: Sequence[HeadGroup], group_sizes: Sequence[int]) -> None:
        super().__init__(trunk, groups, group_sizes)
        self.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the heads; the trunk stays in evaluation mode."""
        super().train(mode)
        self.trunk.eval()
        return self
