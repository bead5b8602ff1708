"""Aggregators with one preference per task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import PositiveFloat

from mtl_torchjd.aggregator_spec import StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor


class PreferenceSpec(StatelessSpec):
    """An aggregator with one optional preference per task, such as its weight in a mean of the gradients."""

    preferences: dict[str, PositiveFloat] = {}
    """Task name to its relative weight in the mean; 1 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float] | None:
        """Return the preferences."""
        return order_by_task("preferences", self.preferences, tasks, 1.0) if self.preferences else None


def normalize_preferences(preferences: Tensor | None) -> Tensor | None:
    """Normalize preferences to the sum 1."""
    return None if preferences is None else preferences / preferences.sum()
