"""Resolve the `tasks:` of an experiment to named tasks and their labels."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain

from mtl_core.config.experiment import NamedTask, TaskPattern
from mtl_core.data.columns import find_first_rows, find_rows
from mtl_core.data.corpus import Corpus, Label
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
        allowed = {
            name: column_names for name, column_names in columns.items() if not entry.data or name in entry.data
        }
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
            raise MtlError(f"tasks: no label column matches '{entry.each}' (columns: {join_names(known_columns)})")
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
    for index, name in enumerate(active_tasks or []):
        if name not in names:
            raise MtlError(
                f"learn.{index}: unknown task '{name}'{did_you_mean(name, names)} (tasks: {join_names(names)})"
            )
    return [task for task in tasks if active_tasks is None or task.name in active_tasks]


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


def find_label_columns(corpus: Corpus, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the label columns of each data set: the columns with at least one label in it.

    Args:
        corpus: All examples.
        names: The data sets in the order of the config.
    """
    if len(names) == 1:
        return {names[0]: list(corpus.labels)}
    rows = {name: find_rows(corpus.sources, name) for name in names}
    return {
        name: [
            column
            for column, labels in corpus.labels.items()
            if any(labels[row] is not None for row in rows[name].tolist())
        ]
        for name in names
    }


def get_task_labels(task: NamedTask, corpus: Corpus) -> Sequence[Label | None]:
    """Return one label per example: None if the label is missing or if the task does not use the data set.

    If the corpus does not contain the column, all labels are None.
    """
    missing: list[Label | None] = [None] * len(corpus)
    column = corpus.labels.get(task.column, missing)
    if not task.data or not len(corpus.sources):
        return column
    data_sets = set(task.data)
    return [label if source in data_sets else None for label, source in zip(column, corpus.sources, strict=True)]


def check_has_label(
    task: NamedTask, labels: Sequence[Label | None], train: Sequence[int], weights: Sequence[float] | None = None
) -> None:
    """Check that a task has at least one training label with a weight above 0.

    Args:
        task: The task.
        labels: One label (or None) per example.
        train: Indices of the training examples.
        weights: One weight per example; None if all weights are equal.

    Raises:
        MtlError: If the training data contains no label, or only labels with weight 0.
    """
    excluded = task.mask.list_excluded_labels()
    location = f"the column '{task.column}'" + (f" of the data set {join_names(task.data)}" if task.data else "")
    labelled_rows = (row for row in train if _is_present(labels[row]) and str(labels[row]) not in excluded)
    first = next(labelled_rows, None)
    if first is not None:
        if weights is None or any(weights[row] > 0 for row in chain([first], labelled_rows)):
            return
        raise MtlError(f"task '{task.name}': all training labels in {location} have a weight of 0")
    distinct_labels = [str(value) for value in find_first_rows(labels) if _is_present(value)]
    hint = f"; the column contains: {join_names(distinct_labels, 5)}" if distinct_labels else ""
    raise MtlError(f"task '{task.name}': no training example has a label in {location}{hint}")


def _is_present(label: Label | None) -> bool:
    """Return whether a label is present. A list of missing labels is not; an empty list means "no class" and is."""
    if isinstance(label, list | tuple):
        return not label or any(member is not None for member in label)
    return label is not None
