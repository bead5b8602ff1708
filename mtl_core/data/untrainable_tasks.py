"""Tasks that cannot be trained: without a training label, or with one class only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.tasks import NamedTask
from mtl_core.data.column_operations import list_distinct, select_rows
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.label_space import flatten_label
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_labels import describe_missing_labels
from mtl_core.errors import MtlError, join_names

MAX_NAMES = 5
"""The number of tasks that a message lists."""
Labels = Mapping[str, Sequence[Label | None]]


@dataclass(frozen=True)
class UntrainableTasks:
    """Tasks that a pattern derives from label columns, and that cannot be trained.

    Attributes:
        unlabelled: Names of the tasks without a training label.
        constant: Names of the tasks whose labels have too few classes.
    """

    unlabelled: Sequence[str]
    constant: Sequence[str]

    @property
    def names(self) -> frozenset[str]:
        """The names of all of them."""
        return frozenset([*self.unlabelled, *self.constant])

    def describe(self) -> list[str]:
        """Return a warning per reason, with the number of tasks and the first names."""
        warnings = []
        if self.unlabelled:
            warnings.append(_describe_columns(self.unlabelled, "without a training label"))
        if self.constant:
            hint = "; `classes` of the kind declares classes that the data lacks"
            warnings.append(_describe_columns(self.constant, "with one class only") + hint)
        return warnings


def find_untrainable_tasks(
    corpus: Corpus, tasks: Sequence[NamedTask], labels: Labels, named: Collection[str]
) -> UntrainableTasks:
    """Find the tasks of patterns (`each`) that cannot be trained.

    Args:
        corpus: The examples.
        tasks: All tasks.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        named: The names of tasks that the experiment names itself.

    Raises:
        MtlError: If a named task has no training label, or no task remains.
    """
    train = corpus.get_row_indices("train")
    known = np.concatenate([train, corpus.get_row_indices("validation")])
    unlabelled: dict[str, str] = {}
    constant: list[str] = []
    for task in tasks:
        if task.name not in labels:
            continue
        message = describe_missing_labels(task, labels[task.name], train, corpus.weights.get(task.column))
        if message:
            unlabelled[task.name] = message
        elif task.name not in named and _is_constant(task, labels[task.name], known):
            constant.append(task.name)
    untrainable = UntrainableTasks(list(unlabelled), constant)
    refused = [name for name in unlabelled if name in named]
    if not refused and len(untrainable.names) == len(tasks):
        if constant:
            raise MtlError(f"no task can be trained: {'; '.join(untrainable.describe())}")
        refused = list(unlabelled)
    if refused:
        others = f" ({len(refused)} such tasks: {join_names(refused, MAX_NAMES)})" if len(refused) > 1 else ""
        raise MtlError(unlabelled[refused[0]] + others)
    return untrainable


def _is_constant(task: NamedTask, column: Sequence[Label | None], rows: NDArray[np.int64]) -> bool:
    """Return whether the labels have too few classes for the kind of the task, which takes its classes from them."""
    if task.kind.level != "example" or getattr(task.kind, "classes", ()) is not None:
        return False
    excluded = task.mask.list_excluded_labels()
    present = [label for label in list_distinct(select_rows(column, rows)) if label is not None]
    if len({str(member) for label in present for member in flatten_label(label)} - excluded) > 1:
        return False
    try:
        task.kind.build_space(LabelStatistics(present, present, excluded))
    except MtlError:
        return True
    return False


def _describe_columns(names: Sequence[str], reason: str) -> str:
    subject, verb = (
        ("1 label column", "is no task") if len(names) == 1 else (f"{len(names)} label columns", "are no tasks")
    )
    return f"{subject} {reason} {verb} ({join_names(names, MAX_NAMES)})"
