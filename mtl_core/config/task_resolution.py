"""Resolve the `tasks:` of an experiment to named tasks."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from mtl_core.config.name_patterns import suggest_names
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.errors import MtlError, did_you_mean, join_names

Columns = Mapping[str, Sequence[str]]
"""Mapping of data set name to its label columns."""


def resolve_tasks(entries: Sequence[NamedTask | TaskPattern], columns: Columns) -> list[NamedTask]:
    """Resolve every entry to named tasks; a derived entry yields one task per matching column.

    A column that matches two patterns belongs to the first. A column with the name of a named task belongs to that
    task. A named task with a different name (`{name: taste, label: food}`) uses a column in addition to the derived
    task.

    Args:
        entries: The `tasks:` of the experiment.
        columns: The label columns of each data set.

    Raises:
        MtlError: If an entry names an unknown column, or if a pattern matches no column.
    """
    used_columns = {entry.name for entry in entries if isinstance(entry, NamedTask)}
    tasks: list[NamedTask] = []
    for entry in entries:
        allowed = {name: column_names for name, column_names in columns.items() if not entry.data or name in entry.data}
        known_columns = list(dict.fromkeys(column for column_names in allowed.values() for column in column_names))
        if isinstance(entry, NamedTask):
            _check_column(entry, known_columns, columns)
            tasks.append(entry)
            continue
        if entry.kind.reads_inputs:
            raise MtlError(
                f"tasks: the kind '{entry.kind.type}' needs no label column, so it cannot be used with "
                f"`each: {entry.each}`; set `name:` instead"
            )
        matches = [name for name in known_columns if name not in used_columns and fnmatchcase(name, entry.each)]
        if not matches:
            raise MtlError(
                f"tasks: no label column matches '{entry.each}'{suggest_names(entry.each, known_columns)} "
                f"(columns: {join_names(known_columns)})"
            )
        used_columns.update(matches)
        tasks += [
            NamedTask(
                name=name, kind=entry.kind, head=entry.head, mask=entry.mask, weight=entry.weight, data=entry.data
            )
            for name in matches
        ]
    return tasks


def select_active_tasks(tasks: Sequence[NamedTask], active_tasks: Sequence[str] | None) -> list[NamedTask]:
    """Return the active tasks in the order of the config.

    Args:
        tasks: All tasks.
        active_tasks: Names of the active tasks; None for all.

    Raises:
        MtlError: If a name is not the name of a task.
    """
    names = [task.name for task in tasks]
    known_names, active_names = frozenset(names), frozenset(active_tasks or ())
    for index, name in enumerate(active_tasks or []):
        if name not in known_names:
            raise MtlError(
                f"active_tasks.{index}: unknown task '{name}'{did_you_mean(name, names)} (tasks: {join_names(names)})"
            )
    return [task for task in tasks if active_tasks is None or task.name in active_names]


def select_active_entries(
    entries: Sequence[NamedTask | TaskPattern], active_tasks: Sequence[str]
) -> list[NamedTask | TaskPattern]:
    """Return the entries that define active tasks; a saved run does not store the columns of the other entries."""
    remaining_names = set(active_tasks)
    active_entries: list[NamedTask | TaskPattern] = []
    for entry in sorted(entries, key=lambda entry: isinstance(entry, TaskPattern)):  # named tasks come first
        matches = {name for name in remaining_names if entry.matches(name)}
        remaining_names -= matches
        if matches:
            active_entries.append(entry)
    return [entry for entry in entries if any(entry is active_entry for active_entry in active_entries)]


def _check_column(task: NamedTask, known: Sequence[str], columns: Columns) -> None:
    if task.kind.reads_inputs:
        if task.data or task.label:
            raise MtlError(
                f"task '{task.name}': its kind '{task.kind.type}' derives its targets from the inputs; "
                "`data` and `label` are only valid for tasks with labels"
            )
        return
    for name in task.data:
        if task.column not in columns[name]:
            raise MtlError(
                f"task '{task.name}': the data set '{name}' has no label column '{task.column}'"
                f"{did_you_mean(task.column, columns[name])} (columns: {join_names(columns[name])})"
            )
    if task.column not in known:
        raise MtlError(
            f"task '{task.name}': the data has no label column '{task.column}'"
            f"{did_you_mean(task.column, known)} (columns: {join_names(known)})"
        )
