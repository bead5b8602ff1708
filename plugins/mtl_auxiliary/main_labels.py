"""Access to the labels of main tasks, for auxiliary tasks."""

from collections.abc import Iterable, Mapping, Sequence

from mtl_core import AuxiliaryData, Label, MtlError, did_you_mean, join_names
from mtl_core.data import flatten_label


def get_main_labels(data: AuxiliaryData, task_names: Sequence[str] | None) -> Mapping[str, Sequence[Label | None]]:
    """Return the label columns of the named main tasks, or of all main tasks.

    Args:
        data: The data.
        task_names: Names of main tasks; None for all.

    Raises:
        MtlError: If a name is not a main task with labels.
    """
    for name in task_names or ():
        if name not in data.task_labels:
            raise MtlError(
                f"main_tasks: unknown task '{name}'{did_you_mean(name, data.task_labels)} "
                f"(tasks: {join_names(data.task_labels)})"
            )
    return {name: data.task_labels[name] for name in task_names} if task_names else data.task_labels


def get_label_names(label: Label | None) -> set[str]:
    """Return the class names in a label: one name, those of a list, or none for a missing label."""
    return set() if label is None else {str(member) for member in flatten_label(label)}


def collect_label_names(columns: Mapping[str, Sequence[Label | None]], rows: Iterable[int]) -> list[str]:
    """Return the sorted class names in the labels of some examples."""
    row_indices = list(rows)
    return sorted({name for column in columns.values() for row in row_indices for name in get_label_names(column[row])})
