"""The specs of customized gate control and progressive layered extraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveInt

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class CGC(ArchitectureSpec):
    """Customized gate control: each task mixes shared experts and its own (Tang et al., RecSys 2020).

    Experts are backbones. The gate of a task reads the mean of an example's input features, and mixes the shared
    experts and the experts of the task; it does not read the experts of other tasks, which is the difference from
    `mmoe`. All gates start with equal weights. Without task experts, this is `mmoe`.

    Example:
        >>> CGC(shared_experts=2, task_experts=1).type
        'cgc'
    """

    type: Literal["cgc"] = "cgc"
    shared_experts: PositiveInt = 2
    """Number of backbones of all tasks."""
    task_experts: NonNegativeInt = 1
    """Number of backbones per task; the cost is proportional to their number times that of the tasks."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the experts and one gate per task."""
        from mtl_architectures.cgc_module import ProgressiveLayeredExtraction

        return ProgressiveLayeredExtraction(parts, tasks, 1, self.shared_experts, self.task_experts, self.type)


class PLE(ArchitectureSpec):
    """Progressive layered extraction: several levels of shared and task-specific experts (Tang et al., RecSys 2020).

    Each level is a `cgc`. Before the last level, a further gate mixes the experts of all tasks for the shared experts
    of the next level. The gate of a task reads the task's features from the level before.

    Example:
        >>> PLE(levels=2).type
        'ple'
    """

    type: Literal["ple"] = "ple"
    levels: PositiveInt = 2
    """Number of levels; the backbone must accept features of the form that it returns."""
    shared_experts: PositiveInt = 2
    """Number of backbones of all tasks per level."""
    task_experts: NonNegativeInt = 1
    """Number of backbones per task and level."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the levels.

        Raises:
            MtlError: If the backbone cannot be stacked.
        """
        from mtl_architectures.cgc_module import ProgressiveLayeredExtraction

        return ProgressiveLayeredExtraction(
            parts, tasks, self.levels, self.shared_experts, self.task_experts, self.type
        )
