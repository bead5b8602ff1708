"""The backbone that returns its input features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.plugins.specs import LAYOUTS, BackboneSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class Identity(BackboneSpec):
    """No backbone: the heads read the input features directly (a baseline)."""

    type: Literal["identity"] = "identity"
    layouts: ClassVar[frozenset[Layout]] = frozenset(LAYOUTS)

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build a module that returns its input features."""
        from mtl_core.builtins.backbones.modules.identity import IdentityBackbone

        return IdentityBackbone(inputs)

    def get_output_layout(self, inputs: Layout) -> Layout:
        """Return the layout of the input."""
        return inputs
