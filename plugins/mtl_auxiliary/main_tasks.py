"""The labels of main tasks, as auxiliary tasks look at them."""

from collections.abc import Iterable, Mapping, Sequence

from mtl_core import Label, MtlError
from mtl_core.data.auxiliary import AuxiliaryData
from mtl_core.data.label_space import members
from mtl_core.errors import did_you_mean, listed


def main_labels(data: AuxiliaryData, over: Sequence[str] | None) -> Mapping[str, Sequence[Label | None]]:
    """Give the labels of the named main tasks; of all if none is named.

    Raises:
        MtlError: If a name is no main task with labels.
    """
    for name in over or ():
        if name not in data.tasks:
            raise MtlError(
                f"over: unknown task '{name}'{did_you_mean(name, data.tasks)} (tasks: {listed(data.tasks)})"
            )
    return {name: data.tasks[name] for name in over} if over else data.tasks


def label_names(label: Label | None) -> set[str]:
    """The names that stand in a label: one, those of a list, or none if it is missing."""
    return set() if label is None else {str(member) for member in members(label)}


def names_in(columns: Mapping[str, Sequence[Label | None]], rows: Iterable[int]) -> list[str]:
    """All names that stand in some examples' labels, sorted."""
    chosen = list(rows)
    return sorted({name for column in columns.values() for row in chosen for name in label_names(column[row])})
