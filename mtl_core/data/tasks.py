"""From the `tasks:` of an experiment to one declared task for each name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mtl_core.config.experiment import DerivedTasks, NamedTask
from mtl_core.errors import MtlError, did_you_mean, listed


def resolve_tasks(entries: Sequence[NamedTask | DerivedTasks], columns: Sequence[str]) -> list[NamedTask]:
    """Make a named task of every entry; a derived entry becomes one for each column that fits.

    A column that fits two patterns belongs to the first, and one after which a named task is called, to that task.
    A named task of another name (`{name: taste, label: food}`) learns a column beside the derived one.

    Args:
        entries: The experiment's `tasks:`.
        columns: The label columns that the loader found.

    Raises:
        MtlError: If an entry names a column that is not there, or a pattern fits none.
    """
    taken = {entry.name for entry in entries if isinstance(entry, NamedTask)}
    tasks: list[NamedTask] = []
    for entry in entries:
        if isinstance(entry, NamedTask):
            if entry.column not in columns:
                raise MtlError(
                    f"task '{entry.name}': the data has no label column '{entry.column}'"
                    f"{did_you_mean(entry.column, columns)} (columns: {listed(columns)})"
                )
            tasks.append(entry)
            continue
        fitting = [name for name in columns if name not in taken and fnmatchcase(name, entry.each)]
        if not fitting:
            raise MtlError(f"tasks: no label column fits '{entry.each}' (columns: {listed(columns)})")
        taken.update(fitting)
        tasks += [
            NamedTask(name=name, kind=entry.kind, head=entry.head, mask=entry.mask, weight=entry.weight)
            for name in fitting
        ]
    return tasks
