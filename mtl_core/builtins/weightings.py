"""Ways to combine task losses that need no memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class Static(WeightingSpec):
    """The sum of the losses of the tasks that have labels in the batch, each times its task's weight."""

    type: Literal["static"] = "static"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the sum."""
        from mtl_core.builtins.weighting_modules import StaticSum

        return StaticSum(weights)


class ByLabels(WeightingSpec):
    """The mean loss over all labels of the batch, whichever task they belong to, times the task's weight.

    A task counts as much as it has labels; `static` lets every task count alike.
    """

    type: Literal["by-labels"] = "by-labels"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the mean."""
        from mtl_core.builtins.weighting_modules import LabelMean

        return LabelMean(weights)
