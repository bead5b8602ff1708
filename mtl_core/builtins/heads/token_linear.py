"""The linear head for tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import HeadSpec, Level

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape
    from mtl_core.nn.heads import HeadGroup


class TokenLinear(HeadSpec):
    """One linear layer applied to every token, for token-level tasks.

    The layers of the tasks of a group are one matrix, and have the same dropout mask.
    """

    type: Literal["token-linear"] = "token-linear"
    level: ClassVar[Level] = "token"
    reads_task_features: ClassVar[bool] = True
    dropout: Probability = 0.0
    """Dropout before the layer."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build one task's layer.

        Raises:
            MtlError: If the features are not a sequence.
        """
        from mtl_core.builtins.heads.modules.single_head import SingleHead

        return SingleHead(self.build_group(inputs, outputs, 1))

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        """Build the layers of all tasks as one matrix.

        Raises:
            MtlError: If the features are not a sequence.
        """
        from mtl_core.builtins.heads.modules.token_linear import TokenLinearGroup, require_sequence

        require_sequence(inputs, self.type)
        return TokenLinearGroup(inputs.width, outputs, tasks, self.dropout)
