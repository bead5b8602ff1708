"""The backbone that is handed in from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.python_module import PythonModule
from mtl_core.plugins.specs import LAYOUTS, BackboneSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class ModuleBackbone(PythonModule, BackboneSpec):
    """A module of your own, handed in from Python: `mtl.Model(backbone=MyModule())`.

    The module reads and returns tensors: `(batch, width)`, `(batch, length, width)` for sequences or `(batch, channels,
    height, width)` for images. If its `forward` has an argument `mask`, it also receives the mask `(batch, length)` of
    a sequence. A module with an attribute `output: FeatureShape` reads and returns `Features` instead.
    """

    type: Literal["module"] = "module"
    layouts: ClassVar[frozenset[Layout]] = frozenset(LAYOUTS)
    noun: ClassVar[str] = "backbone"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Copy or build the module, and determine the shape of its features."""
        from mtl_core.builtins.backbones.modules.module import TensorBackbone
        from mtl_core.builtins.build_module import build_module

        return TensorBackbone(self.name, build_module(self.module, self.name, "backbone", {"inputs": inputs}), inputs)
