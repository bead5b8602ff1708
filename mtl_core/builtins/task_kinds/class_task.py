"""What task kinds with one class per label have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtl_core.builtins.task_kinds.unique_names import UniqueNamesSpec
from mtl_core.errors import MtlError, join_names

if TYPE_CHECKING:
    from mtl_core.data.class_space import ClassSpace
    from mtl_core.data.label_statistics import LabelStatistics


def default_metrics() -> Any:
    """Return the metrics of a task without configured ones."""
    return [{"type": "accuracy"}, {"type": "macro-f1"}, {"type": "confusion"}]


class ClassTaskSpec(UniqueNamesSpec):
    """Base class of task kinds with one class per label."""

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.class_space import ClassSpace

        return ClassSpace.from_state(state)


def collect_classes(label_statistics: LabelStatistics, minimum: int = 2) -> list[str]:
    """Return the classes in the labels, sorted.

    Raises:
        MtlError: If there are fewer than `minimum`.
    """
    from mtl_core.data.column_operations import list_distinct
    from mtl_core.data.label_space import flatten_label

    names = sorted(
        {str(member) for label in list_distinct(label_statistics.all_labels) for member in flatten_label(label)}
        - label_statistics.excluded_labels
    )
    if len(names) < minimum:
        raise MtlError(f"classes in the training labels: {join_names(names)}; a task needs {minimum} or more")
    return names
