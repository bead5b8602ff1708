"""Fit the encoder and the tasks of an experiment, and encode inputs and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.task_resolution import select_active_tasks
from mtl_core.config.tasks import NamedTask
from mtl_core.data.auxiliary_tasks import DerivedTask, derive_auxiliary
from mtl_core.data.batches import Examples
from mtl_core.data.column_operations import select_rows
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.experiment_data import ExperimentData, compute_label_mask
from mtl_core.data.fitted_task import FittedTask, describe_constant_tasks, describe_numeric_tasks, fit_each, fit_task
from mtl_core.data.label_statistics import LabelStatistics, compute_label_statistics, select_weighted_rows
from mtl_core.data.splitting import Split
from mtl_core.data.target_encoding import encode_examples
from mtl_core.data.task_groups import TaskGroup, check_unique_names, group_tasks

TaskLabels = Mapping[str, Sequence[Label | None]]
"""Task name to labels, one per example."""


@dataclass(frozen=True)
class FittedData:
    """The fitted data and tasks of a run, ready for training.

    Attributes:
        experiment_data: The examples and the declared tasks, before fitting.
        split: Indices of the training, validation and test examples.
        encoder: The encoder, fitted on the training inputs.
        parsed: The parsed inputs.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        tasks: The active main tasks in the order of the experiment, then the auxiliary tasks.
        inactive_tasks: Main tasks that the experiment declares but does not train.
        groups: The head groups of `tasks`.
        examples: Encoded inputs and targets of all examples.
        warnings: Warnings about the data.
        load_s: Seconds spent loading and splitting.
        encode_s: Seconds spent encoding.
    """

    experiment_data: ExperimentData
    split: Split
    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    labels: TaskLabels
    tasks: Sequence[FittedTask]
    inactive_tasks: Sequence[FittedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    warnings: Sequence[str]
    load_s: float = 0.0
    encode_s: float = 0.0

    @property
    def corpus(self) -> Corpus:
        """The examples."""
        return self.experiment_data.corpus


def fit_data(
    config: ExperimentConfig,
    experiment_data: ExperimentData,
    split: Split,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> FittedData:
    """Fit the encoder and the tasks on the training data, and encode inputs and targets.

    Args:
        config: The experiment.
        experiment_data: All examples and main tasks, including inactive tasks.
        split: The splits. `auxiliary_only` contains the training examples without a main label; those without an
            auxiliary label are removed.
        encoder: The encoder; it is fitted in place.
        parsed: The parsed inputs.

    Raises:
        MtlError: If the data and the experiment do not match.
    """
    corpus, main_labels = experiment_data.corpus, experiment_data.labels
    encoder.fit(select_rows(parsed, split.all_training_rows))
    active_tasks = select_active_tasks(experiment_data.tasks, config.active_tasks)
    labels = {task.name: main_labels[task.name] for task in active_tasks if task.name in main_labels}
    auxiliary_tasks = derive_auxiliary(config, corpus, labels, encoder, parsed, split.all_training_rows)
    labels |= {task.declared.name: task.labels for task in auxiliary_tasks if len(task.labels)}
    split = _remove_unlabelled(split, experiment_data, active_tasks, auxiliary_tasks)

    def fit(task: NamedTask, column: Sequence[Label | None], derived: DerivedTask | None = None) -> FittedTask:
        label_statistics = compute_split_statistics(task, column, split, corpus, encoder, parsed)
        return fit_task(task, label_statistics, derived.spec if derived is not None else None)

    main_tasks = fit_each(experiment_data.tasks, lambda task: fit(task, main_labels.get(task.name, ())))
    active_names = {task.name for task in active_tasks}
    tasks = [task for task in main_tasks if task.name in active_names]
    tasks += [fit(task.declared, task.labels, task) for task in auxiliary_tasks]
    check_unique_names(tasks)
    groups = group_tasks(tasks, config.architecture.task_specific_features)
    return FittedData(
        experiment_data=experiment_data,
        split=split,
        encoder=encoder,
        parsed=parsed,
        labels=labels,
        tasks=tasks,
        inactive_tasks=[task for task in main_tasks if task.name not in active_names],
        groups=groups,
        examples=encode_examples(groups, labels, corpus, encoder, parsed),
        warnings=[
            *(note for task in auxiliary_tasks for note in task.notes),
            *describe_numeric_tasks(tasks),
            *describe_constant_tasks(tasks),
        ],
    )


def compute_split_statistics(
    task: NamedTask,
    column: Sequence[Label | None],
    split: Split,
    corpus: Corpus,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
) -> LabelStatistics:
    """Collect the label statistics of a task in the training and validation data.

    Args:
        task: The task.
        column: One label per example; empty for a task that derives labels from the inputs.
        split: The split.
        corpus: The examples.
        encoder: The fitted encoder.
        parsed: The parsed inputs.
    """
    known_rows = np.concatenate([split.all_training_rows, split.validation])
    weighted_rows = select_weighted_rows(split.all_training_rows, corpus.weights.get(task.column))
    return compute_label_statistics(task, column, known_rows, weighted_rows, corpus.locations, encoder, parsed)


def _remove_unlabelled(
    split: Split,
    experiment_data: ExperimentData,
    active_tasks: Sequence[NamedTask],
    auxiliary_tasks: Sequence[DerivedTask],
) -> Split:
    """Remove rows of `auxiliary_only` without an auxiliary label; if some tasks are inactive, set `label_mask`."""
    has_auxiliary_label = np.array(
        [any(task.has_label(row) for task in auxiliary_tasks) for row in split.auxiliary_only.tolist()], dtype=bool
    )
    split = replace(split, auxiliary_only=split.auxiliary_only[has_auxiliary_label])
    if len(active_tasks) == len(experiment_data.tasks):
        return split
    n_examples = len(experiment_data.corpus)
    label_mask = compute_label_mask(active_tasks, experiment_data.labels, n_examples)
    for task in auxiliary_tasks:
        if task.spec.weight > 0:
            label_mask |= np.fromiter(map(task.has_label, range(n_examples)), dtype=bool, count=n_examples)
    return replace(split, label_mask=label_mask)
