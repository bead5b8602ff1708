"""The spec of the gradient reversal head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core import HeadField, HeadSpec, default_type

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape, Layout, Level
    from mtl_core.nn import HeadGroup


class GradientReversal(HeadSpec):
    """A gradient reversal layer before another head (Ganin and Lempitsky, 2015).

    The head minimizes the loss of its task, while the shared part of the network maximizes it: the features lose
    the information that separates the classes of the head.
    """

    type: Literal["gradient-reversal"] = "gradient-reversal"
    head: HeadField = default_type("linear")
    """The head behind the gradient reversal layer."""
    strength: NonNegativeFloat = 1.0
    """Factor of the reversed gradient; at 0 the head does not change the features."""

    @property
    def level(self) -> Level:  # type: ignore[override]
        """The level of the inner head."""
        return self.head.level

    @property
    def layouts(self) -> frozenset[Layout]:  # type: ignore[override]
        """The layouts of the inner head."""
        return self.head.layouts

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build the module of one task."""
        from mtl_auxiliary.gradient_reversal_module import GradientReversalHead

        return GradientReversalHead(self.head.build(inputs, outputs), self.strength)

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Build one module for all tasks; return None if the inner head does not support groups."""
        from mtl_auxiliary.gradient_reversal_module import GradientReversalHeadGroup

        group = self.head.build_group(inputs, outputs, tasks)
        return None if group is None else GradientReversalHeadGroup(group, self.strength)
