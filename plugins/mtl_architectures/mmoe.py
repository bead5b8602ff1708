"""Multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.model.architecture import Architecture, NetworkParts


class MMoE(ArchitectureSpec):
    """Several backbones that all tasks share, mixed for each task by a gate of its own (Ma et al., 2018).

    A gate reads the mean of an example's input features and says how much each backbone counts for it. All
    begin undecided, with equal shares. With one expert this is hard sharing.
    """

    type: Literal["mmoe"] = "mmoe"
    experts: PositiveInt = 4
    """How many of the experiment's backbones there are."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Make the experts and a gate for each task."""
        from mtl_architectures.mmoe_module import MixedExperts

        return MixedExperts(parts, tasks, self.experts)
