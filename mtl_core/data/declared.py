"""What an experiment is about, before anything is divided or encoded: its examples, its tasks, their labels."""

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
        tasks: The main tasks in the experiment's order, those that are not learned too.
        labels: Name of each task to its label for every example; nothing for tasks that need none.
    """

    corpus: Corpus
    tasks: Sequence[NamedTask]
    labels: Mapping[str, Sequence[Label | None]]


def read_declared(config: ExperimentConfig) -> DeclaredData:
    """Read the data of an experiment, and find its tasks in it.

    Raises:
        MtlError: If there is nothing to train on, or a task has no label.
    """
    corpus = load_sources(config.sources)
    if not len(corpus.rows("train")):
        found = listed(sorted({str(part) for part in corpus.parts}))
        raise MtlError(f"no example to train on: the loader put none into the part 'train' (parts found: {found})")
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
    """Say which examples have a label for one of some tasks, `(examples,)`.

    Args:
        tasks: The tasks. One that learns from the inputs themselves has something to say about each.
        labels: Name of each task to its label for every example.
        examples: How many there are.
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
