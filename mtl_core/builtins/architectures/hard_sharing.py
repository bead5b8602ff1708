"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from mtl_core.plugins.specs import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn.architecture import Architecture, NetworkParts


class HardSharing(ArchitectureSpec):
    """Hard parameter sharing: one input layer and one backbone for all tasks (Caruana, 1993)."""

    type: Literal["hard-sharing"] = "hard-sharing"
    task_specific_features: ClassVar[bool] = False

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build one shared input layer and backbone."""
        from mtl_core.builtins.architectures.modules.hard_sharing import SharedTrunk

        return SharedTrunk(parts)
