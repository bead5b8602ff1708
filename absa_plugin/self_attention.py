"""The self-attention head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import HeadSpec, Probability

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape
    from mtl_core.nn import HeadGroup


class SelfAttention(HeadSpec):
    """Multi-head self-attention (Vaswani et al., 2017), the mean over the tokens, then two linear layers."""

    type: Literal["self-attention"] = "self-attention"
    attention_heads: PositiveInt = 2
    """Number of attention heads; it must divide the width of the features."""
    hidden_dim: PositiveInt = 64
    """Width of the first linear layer."""
    dropout: Probability = 0.2
    """Dropout between the linear layers."""
    grouped: bool = True
    """Compute all tasks with this head together; false builds one module per task, which skips examples without a
    label of its task, and is faster for few tasks with few labels."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build the head of one task."""
        from absa_plugin.self_attention_module import SelfAttentionHead

        return SelfAttentionHead(inputs, outputs, self.attention_heads, self.hidden_dim, self.dropout)

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup | None:
        """Build one module for all tasks, or return None if `grouped` is false."""
        from absa_plugin.self_attention_group import SelfAttentionGroup

        if not self.grouped:
            return None
        return SelfAttentionGroup(inputs, outputs, tasks, self.attention_heads, self.hidden_dim, self.dropout)
