"""The head that is handed in from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.builtins.python_module import PythonModule
from mtl_core.plugins.specs import LAYOUTS, HeadSpec, Layout

if TYPE_CHECKING:
    from torch import nn

    from mtl_core.nn.features import FeatureShape


class ModuleHead(PythonModule, HeadSpec):
    """A module of your own, handed in from Python: `mtl.Task("topic", head=lambda inputs, outputs: MyHead(…))`.

    The module reads the features of an example, `(batch, width)`: the mean over tokens or positions, if there are any.
    It returns `(batch, outputs)`.
    """

    type: Literal["module"] = "module"
    layouts: ClassVar[frozenset[Layout]] = frozenset(LAYOUTS)
    noun: ClassVar[str] = "head"

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Copy or build the module of one task."""
        from mtl_core.builtins.build_module import build_module
        from mtl_core.builtins.heads.modules.module import TensorHead

        return TensorHead(build_module(self.module, self.name, "head", {"inputs": inputs, "outputs": outputs}))
