"""The linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import LAYOUTS, HeadSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape
    from mtl_core.nn.heads import HeadGroup


class Linear(HeadSpec):
    """One linear layer; for a sequence or an image, on the mean of its tokens or positions.

    The layers of the tasks of a group are one matrix, and have the same dropout mask.
    """

    type: Literal["linear"] = "linear"
    layouts: ClassVar[frozenset[Layout]] = frozenset(LAYOUTS)
    reads_task_features: ClassVar[bool] = True
    dropout: Probability = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer."""
        from mtl_core.builtins.heads.modules.single_head import SingleHead

        return SingleHead(self.build_group(inputs, outputs, 1))

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        """Build the layers of all tasks as one matrix."""
        from mtl_core.builtins.heads.modules.linear import LinearGroup

        return LinearGroup(inputs.width, outputs, tasks, self.dropout)
