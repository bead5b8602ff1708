"""Access to the labels of main tasks, for auxiliary tasks."""

from collections.abc import Iterable, Mapping, Sequence

from mtl_core import Label, MtlError
from mtl_core.data.auxiliary import AuxiliaryData
from mtl_core.data.label_space import members
from mtl_core.errors import did_you_mean, listed


def main_labels(data: AuxiliaryData, over: Sequence[str] | None) -> Mapping[str, Sequence[Label | None]]:
    """Return the label columns of the named main tasks, or of all main tasks.

    Args:
        data: The data.
        over: Names of main tasks; None for all.

    Raises:
        MtlError: If a name is not a main task with labels.
    """
    for name in over or ():
        if name not in data.tasks:
            raise MtlError(
                f"over: unknown task '{name}'{did_you_mean(name, data.tasks)} (tasks: {listed(data.tasks)})"
            )
    return {name: data.tasks[name] for name in over} if over else data.tasks


def label_names(label: Label | None) -> set[str]:
    """Return the class names in a label: one name, those of a list, or none for a missing label."""
    return set() if label is None else {str(member) for member in members(label)}


def names_in(columns: Mapping[str, Sequence[Label | None]], rows: Iterable[int]) -> list[str]:
    """Return the sorted class names in the labels of some examples."""
    chosen = list(rows)
    return sorted({name for column in columns.values() for row in chosen for name in label_names(column[row])})
