"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.model.architecture import Architecture, NetworkParts

Share = Annotated[float, Field(ge=0, le=1)]


class CrossStitch(ArchitectureSpec):
    """A column of backbones for each task, and after each layer a learned mix of the columns (Misra et al., 2016).

    All tasks share one input layer. What a task reads after a layer is a weighted sum of what all columns say
    there; the weights are learned. All columns begin alike, so that their channels mean the same.
    """

    type: Literal["cross-stitch"] = "cross-stitch"
    layers: PositiveInt = 2
    """How many of the experiment's backbones each column stacks."""
    same: Share = 0.9
    """What a task's own column counts at first; the others share the rest equally."""
    per_channel: bool = False
    """Learn weights for every channel, not one for a whole column."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Make the columns and the units between them.

        Raises:
            MtlError: If the backbone cannot be stacked.
        """
        from mtl_architectures.cross_stitch_module import StitchedColumns

        return StitchedColumns(parts, tasks, self.layers, self.same, self.per_channel)
