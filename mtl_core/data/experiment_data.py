"""The examples, tasks and labels of an experiment, before they are split and encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.task_resolution import resolve_tasks
from mtl_core.config.tasks import NamedTask
from mtl_core.data.column_operations import find_labelled
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.sources import load_sources
from mtl_core.data.task_labels import find_label_columns, get_task_labels
from mtl_core.data.untrainable_tasks import find_untrainable_tasks
from mtl_core.errors import MtlError, join_names


@dataclass(frozen=True)
class ExperimentData:
    """Examples and main tasks.

    Attributes:
        corpus: The examples.
        tasks: The main tasks in the order of the config, including tasks that are not active.
        labels: Mapping of task name to one label (or None) per example; without tasks that need no labels.
        warnings: Warnings about label columns that are no tasks.
    """

    corpus: Corpus
    tasks: Sequence[NamedTask]
    labels: Mapping[str, Sequence[Label | None]]
    warnings: Sequence[str] = ()

    @property
    def stratification_labels(self) -> Mapping[str, Sequence[Label | None]]:
        """The labels that splits are balanced by: of tasks with labels per pixel, only whether there is a mask."""
        dense_names = {task.name for task in self.tasks if task.kind.level == "pixel"}
        return {
            name: [None if label is None else "labelled" for label in column] if name in dense_names else column
            for name, column in self.labels.items()
        }


def load_experiment_data(config: ExperimentConfig) -> ExperimentData:
    """Load the data of an experiment and resolve its tasks.

    Raises:
        MtlError: If there is no training example, a named task has no label, or no task remains.
    """
    corpus = load_sources(config.loaders)
    if not len(corpus.get_row_indices("train")):
        split_names = join_names(sorted({str(split_name) for split_name in corpus.splits}))
        raise MtlError(
            f"no training example: the loader assigns none to the split 'train' (splits found: {split_names})"
        )
    tasks = resolve_tasks(config.tasks, find_label_columns(corpus, list(config.loaders)))
    labels = {task.name: get_task_labels(task, corpus) for task in tasks if not task.kind.reads_inputs}
    named = {entry.name for entry in config.tasks if isinstance(entry, NamedTask)} | set(config.active_tasks or ())
    untrainable = find_untrainable_tasks(corpus, tasks, labels, named)
    return ExperimentData(
        corpus,
        [task for task in tasks if task.name not in untrainable.names],
        {name: column for name, column in labels.items() if name not in untrainable.names},
        untrainable.describe(),
    )


def compute_label_mask(
    tasks: Sequence[NamedTask], labels: Mapping[str, Sequence[Label | None]], n_examples: int
) -> NDArray[np.bool_]:
    """Return which examples have a label for at least one of the tasks.

    Args:
        tasks: The tasks. A task that derives its targets from the inputs counts as labelled for every example.
        labels: Mapping of task name to one label (or None) per example.
        n_examples: The number of examples.

    Returns:
        `(examples,)`, bool.
    """
    label_mask = np.zeros(n_examples, dtype=bool)
    for task in tasks:
        if task.kind.reads_inputs:
            return np.ones(n_examples, dtype=bool)
        excluded = task.mask.list_excluded_labels()
        label_mask |= find_labelled(labels[task.name], excluded)
    return label_mask
