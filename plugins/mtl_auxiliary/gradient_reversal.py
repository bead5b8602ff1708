"""A head that others learn to hinder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core import HeadSpec
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape
    from mtl_core.model.heads import HeadGroup
    from mtl_core.specs import Level


class GradientReversal(HeadSpec):
    """Another head, whose gradient is turned round on its way to what tasks share (Ganin and Lempitsky, 2015).

    The head learns its task as well as it can, while the shared part of the network learns to keep from the head
    what it needs: the features lose what would tell the head's classes apart.
    """

    type: Literal["gradient-reversal"] = "gradient-reversal"
    head: HeadField = default_type("linear")
    """The head that learns the task."""
    strength: NonNegativeFloat = 1.0
    """What the turned gradient is multiplied with; at 0 the head learns from features that do not mind it."""

    @property
    def level(self) -> Level:  # type: ignore[override]
        """That of the head within."""
        return self.head.level

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's module."""
        from mtl_auxiliary.gradient_reversal_module import ReversedHead

        return ReversedHead(self.head.build(inputs, outputs), self.strength)

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Make one module for all tasks, if the head within can."""
        from mtl_auxiliary.gradient_reversal_module import ReversedHeads

        group = self.head.build_group(inputs, outputs, tasks)
        return None if group is None else ReversedHeads(group, self.strength)
