"""The spec of cross-stitch networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import ArchitectureSpec, Fraction

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class CrossStitch(ArchitectureSpec):
    """Cross-stitch networks: one column of backbones per task, mixed after each layer (Misra et al., 2016).

    All tasks share one input layer. After each layer, the input of a task's next layer is a learned weighted sum of
    the outputs of all columns. All columns have the same initial weights, so that their channels correspond.
    """

    type: Literal["cross-stitch"] = "cross-stitch"
    layers: PositiveInt = 2
    """Number of backbones per column."""
    same_task_weight: Fraction = 0.9
    """Initial weight of a task's own column; the other columns share the rest equally."""
    per_channel: bool = False
    """Learn one weight per channel instead of one per column."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the columns and the cross-stitch units.

        Raises:
            MtlError: If the backbone cannot be stacked.
        """
        from mtl_architectures.cross_stitch_module import CrossStitchNetwork

        return CrossStitchNetwork(parts, tasks, self.layers, self.same_task_weight, self.per_channel)
