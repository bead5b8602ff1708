"""The mean over all labels of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class LabelCount(WeightingSpec):
    """Mean loss over all labels of the batch, of any task, times the weight of the task.

    A task's influence is proportional to its number of labels; with `sum`, it is equal for all tasks.
    """

    type: Literal["label-count"] = "label-count"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the mean over labels."""
        from mtl_core.builtins.weightings.modules.stateless import LabelMean

        return LabelMean(weights)
