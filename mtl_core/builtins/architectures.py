"""Hard and soft parameter sharing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat

from mtl_core.specs import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.model.architecture import Architecture, NetworkParts


class HardSharing(ArchitectureSpec):
    """One input layer and one backbone for all tasks (hard parameter sharing; Caruana, 1993)."""

    type: Literal["hard-sharing"] = "hard-sharing"
    own_features: ClassVar[bool] = False

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Make both once."""
        from mtl_core.builtins.architecture_modules import SharedBody

        return SharedBody(parts)


class SoftSharing(ArchitectureSpec):
    """An input layer and a backbone for each task, held near each other by a penalty on their distance.

    At strength 0 the tasks are networks of their own; the stronger it is, the more they are one. A step without
    labels for a task does not move its network.
    """

    type: Literal["soft-sharing"] = "soft-sharing"
    distance: Literal["l2", "trace-norm"] = "l2"
    """`l2`: mean squared distance from the tasks' mean (after Duong et al., 2015). `trace-norm`: sum of the
    singular values of the tasks' parameters laid side by side (Yang and Hospedales, 2017)."""
    strength: NonNegativeFloat = 0.1
    """What the distance is multiplied with before it is added to the loss."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Make one for each task; all begin with the same weights."""
        from mtl_core.builtins.architecture_modules import SoftlySharedBodies, squared_distance, trace_norm

        distances = {"l2": squared_distance, "trace-norm": trace_norm}
        return SoftlySharedBodies(parts, tasks, distances[self.distance], self.strength)
