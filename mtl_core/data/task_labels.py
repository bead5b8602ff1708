"""The labels of tasks in a corpus."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from mtl_core.config.tasks import NamedTask
from mtl_core.data.column_operations import build_missing_column, find_labelled, hide_rows, select_rows
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
