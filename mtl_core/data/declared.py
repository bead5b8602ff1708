"""The examples, tasks and labels of an experiment, before they are split and encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig, NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.label_space import data_label
from mtl_core.data.sources import load_sources
from mtl_core.data.tasks import check_any_label, label_columns, resolve_tasks, task_labels
from mtl_core.errors import MtlError, listed


@dataclass(frozen=True)
class DeclaredData:
    """Examples and main tasks.

    Attributes:
        corpus: The examples.
        tasks: The main tasks in the order of the config, including tasks that are not active.
        labels: Mapping of task name to one label (or None) per example; without tasks that need no labels.
    """

    corpus: Corpus
    tasks: Sequence[NamedTask]
    labels: Mapping[str, Sequence[Label | None]]


def read_declared(config: ExperimentConfig) -> DeclaredData:
    """Load the data of an experiment and resolve its tasks.

    Raises:
        MtlError: If there is no training example, or if a task has no label.
    """
    corpus = load_sources(config.sources)
    if not len(corpus.rows("train")):
        found = listed(sorted({str(part) for part in corpus.parts}))
        raise MtlError(f"no training example: the loader assigns none to the split 'train' (splits found: {found})")
    declared = resolve_tasks(config.tasks, label_columns(corpus, list(config.sources)))
    labels = {task.name: task_labels(task, corpus) for task in declared if not task.kind.reads_inputs}
    for task in declared:
        if task.name in labels:
            weights = corpus.weights.get(task.column)
            check_any_label(task, labels[task.name], corpus.rows("train").tolist(), weights)
    return DeclaredData(corpus, declared, labels)


def labelled_for(
    tasks: Sequence[NamedTask], labels: Mapping[str, Sequence[Label | None]], examples: int
) -> NDArray[np.bool_]:
    """Return which examples have a label for at least one of the tasks.

    Args:
        tasks: The tasks. A task that derives its targets from the inputs counts as labelled for every example.
        labels: Mapping of task name to one label (or None) per example.
        examples: The number of examples.

    Returns:
        `(examples,)`, bool.
    """
    result = np.zeros(examples, dtype=bool)
    for task in tasks:
        if task.kind.reads_inputs:
            return np.ones(examples, dtype=bool)
        excluded = task.mask.excluded()
        result |= np.fromiter(
            (data_label(label, excluded) for label in labels[task.name]), dtype=bool, count=examples
        )
    return result
