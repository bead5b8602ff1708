"""The labels of tasks in a corpus."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.tasks import NamedTask
from mtl_core.data.column_operations import (
    build_missing_column,
    find_labelled,
    hide_rows,
    list_distinct,
    select_rows,
)
from mtl_core.data.columns import find_first_rows, find_rows
from mtl_core.data.corpus import Corpus, Label
from mtl_core.errors import MtlError, join_names


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
            column for column, labels in corpus.labels.items() if find_labelled(select_rows(labels, rows[name])).any()
        ]
        for name in names
    }


def get_task_labels(task: NamedTask, corpus: Corpus) -> Sequence[Label | None]:
    """Return one label per example: None if the label is missing or if the task does not use the data set.

    If the corpus does not contain the column, all labels are None.
    """
    column = corpus.labels.get(task.column)
    if column is None:
        return build_missing_column(len(corpus))
    if not task.data or not len(corpus.sources):
        return column
    is_in_data_set = np.zeros(len(corpus), dtype=bool)
    for name in task.data:
        is_in_data_set[find_rows(corpus.sources, name)] = True
    return hide_rows(column, is_in_data_set)


def check_has_label(
    task: NamedTask, labels: Sequence[Label | None], train: Sequence[int], weights: Sequence[float] | None = None
) -> None:
    """Check that a task has a training label with a weight above 0; arguments as for `describe_missing_labels`.

    Raises:
        MtlError: If the training data contains no label, or only labels with weight 0.
    """
    if message := describe_missing_labels(task, labels, np.asarray(train, dtype=np.int64), weights):
        raise MtlError(message)


def describe_missing_labels(
    task: NamedTask, labels: Sequence[Label | None], train: NDArray[np.int64], weights: Sequence[float] | None = None
) -> str:
    """Return an error message if a task has no training label with a weight above 0, else an empty text.

    Args:
        task: The task.
        labels: One label (or None) per example.
        train: `(n,)`, int64: indices of the training examples.
        weights: One weight per example; None if all weights are equal.
    """
    excluded = task.mask.list_excluded_labels()
    location = f"the column '{task.column}'" + (f" of the data set {join_names(task.data)}" if task.data else "")
    rows = train if weights is None else train[np.asarray(weights)[train] > 0]
    if _has_label(select_rows(labels, rows), excluded):
        return ""
    if weights is not None and _has_label(select_rows(labels, train), excluded):
        return f"task '{task.name}': all training labels in {location} have a weight of 0"
    distinct_labels = [str(value) for value in find_first_rows(labels) if _is_present(value)]
    hint = f"; the column contains: {join_names(distinct_labels, 5)}" if distinct_labels else ""
    return f"task '{task.name}': no training example has a label in {location}{hint}"


def _has_label(labels: Sequence[Label | None], excluded: frozenset[str]) -> bool:
    return any(_is_present(label) and str(label) not in excluded for label in list_distinct(labels))


def _is_present(label: Label | None) -> bool:
    """Return whether a label is present. A list of missing labels is not; an empty list means "no class" and is."""
    if isinstance(label, list | tuple):
        return not label or any(member is not None for member in label)
    return label is not None
