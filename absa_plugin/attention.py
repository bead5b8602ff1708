"""Attention heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from mtl_core import HeadSpec

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape
    from mtl_core.model.heads import HeadGroup

Rate = Annotated[float, Field(ge=0, lt=1)]


class Attention(HeadSpec):
    """Attention pooling: each task asks its own question of every token (Yang et al., 2016).

    As a group, the tasks share the projection of the tokens, and cost little more than one of them.
    """

    type: Literal["attention"] = "attention"
    key_dim: PositiveInt = 64
    """Width of the space in which tokens and questions meet."""
    hidden_dim: PositiveInt = 32
    """Width of the layer between the pooled tokens and the outputs."""
    dropout: Rate = 0.0
    """Dropout before either layer."""
    shared_layers: bool = False
    """Add two layers that all tasks of the group share to each task's own, so that what words mean to every task is
    learned from all of their labels (the idea of Daumé III, 2007); needs `grouped`."""
    grouped: bool = True
    """One module for all tasks that declare this head; false gives each task a module of its own."""

    @model_validator(mode="after")
    def _shared_in_a_group(self) -> Attention:
        if self.shared_layers and not self.grouped:
            raise ValueError("`shared_layers` are shared by the tasks of a group; leave `grouped` true")
        return self

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's head."""
        from absa_plugin.attention_modules import AttentionPooling

        return AttentionPooling(inputs, outputs, self.key_dim, self.hidden_dim, self.dropout)

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Make one module for all of them, if that is wanted."""
        from absa_plugin.attention_modules import AttentionPoolingGroup

        if not self.grouped:
            return None
        return AttentionPoolingGroup(
            inputs, outputs, tasks, self.key_dim, self.hidden_dim, self.dropout, self.shared_layers
        )


class SelfAttention(HeadSpec):
    """Multi-head self-attention (Vaswani et al., 2017), the mean over the tokens, then two linear layers."""

    type: Literal["self-attention"] = "self-attention"
    attention_heads: PositiveInt = 2
    """Into how many parts the features are divided; their width must be a multiple."""
    hidden_dim: PositiveInt = 64
    """Width of the first linear layer."""
    dropout: Rate = 0.2
    """Dropout between the linear layers."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Make one task's head."""
        from absa_plugin.attention_modules import SelfAttentionHead

        return SelfAttentionHead(inputs, outputs, self.attention_heads, self.hidden_dim, self.dropout)
