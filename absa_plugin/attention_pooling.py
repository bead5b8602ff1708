"""The attention pooling head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt, model_validator

from mtl_core import HeadSpec, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape
    from mtl_core.nn import HeadGroup


class Attention(HeadSpec):
    """Attention pooling with one query vector per task (Yang et al., 2016).

    The tasks of a group share the key projection, so that a group costs little more than one task.
    """

    type: Literal["attention"] = "attention"
    key_dim: PositiveInt = 64
    """Width of keys and queries."""
    hidden_dim: PositiveInt = 32
    """Width of the layer between the pooled tokens and the outputs."""
    dropout: Probability = 0.0
    """Dropout before each of the two layers."""
    shared_layers: bool = False
    """Add the output of two shared layers to that of each task's layers, so that features that matter to every task
    are learned from the labels of all tasks (the idea of Daumé III, 2007); requires `grouped`."""
    grouped: bool = True
    """Use one module for all tasks with this head; false builds one module per task."""

    @model_validator(mode="after")
    def _check_shared_layers(self) -> Attention:
        if self.shared_layers and not self.grouped:
            raise ValueError("`shared_layers` are shared by the tasks of a group; leave `grouped` true")
        return self

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build the head of one task."""
        from absa_plugin.attention_pooling_module import AttentionPooling

        return AttentionPooling(inputs, outputs, self.key_dim, self.hidden_dim, self.dropout)

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Build one module for all tasks, or return None if `grouped` is false."""
        from absa_plugin.attention_pooling_module import AttentionPoolingGroup

        if not self.grouped:
            return None
        return AttentionPoolingGroup(
            inputs, outputs, tasks, self.key_dim, self.hidden_dim, self.dropout, self.shared_layers
        )
