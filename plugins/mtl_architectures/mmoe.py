"""The spec of the multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class MMoE(ArchitectureSpec):
    """Multi-gate mixture of experts: shared backbones, mixed by one gate per task (Ma et al., 2018).

    A gate computes the weights of the experts from the mean of an example's input features. All experts have equal
    initial weights. With one expert this is hard parameter sharing.
    """

    type: Literal["mmoe"] = "mmoe"
    experts: PositiveInt = 4
    """Number of backbones."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the experts and one gate per task."""
        from mtl_architectures.mmoe_module import MixtureOfExperts

        return MixtureOfExperts(parts, tasks, self.experts)
