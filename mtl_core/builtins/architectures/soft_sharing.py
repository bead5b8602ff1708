"""Soft parameter sharing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from mtl_core.plugins.specs import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn.architecture import Architecture, NetworkParts


class SoftSharing(ArchitectureSpec):
    """Soft parameter sharing: one input layer and backbone per task, with a penalty on their distance.

    With strength 0, the tasks have separate networks; a higher strength makes them more similar. A step without
    labels for a task does not update its network.
    """

    type: Literal["soft-sharing"] = "soft-sharing"
    distance: Literal["l2", "trace-norm"] = "l2"
    """`l2`: mean squared distance from the tasks' mean (after Duong et al., 2015). `trace-norm`: sum of the
    singular values of the matrix of the tasks' parameters (Yang and Hospedales, 2017)."""
    strength: NonNegativeFloat = 0.1
    """Factor of the distance in the loss."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build one trunk per task; all start with the same weights."""
        from mtl_core.builtins.architectures.modules.soft_sharing import (
            SoftSharingTrunks,
            squared_distance,
            trace_norm,
        )

        distances = {"l2": squared_distance, "trace-norm": trace_norm}
        return SoftSharingTrunks(parts, tasks, distances[self.distance], self.strength)
