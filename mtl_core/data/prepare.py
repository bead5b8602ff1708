"""Preparation of a run: load, split and encode the data, and fit the tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig, NamedTask
from mtl_core.data.auxiliary_tasks import DerivedTask, derive_auxiliary
from mtl_core.data.batches import Examples
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.example_selection import (
    describe_overlap,
    describe_unlabelled,
    describe_unsampled,
    describe_unused_test,
    drop_leaked_rows,
    partition_examples,
)
from mtl_core.data.experiment_data import compute_label_mask, load_experiment_data
from mtl_core.data.label_space import LabelStatistics
from mtl_core.data.label_statistics import compute_label_statistics, select_weighted_rows
from mtl_core.data.parsing import compute_item_lengths, encode_inputs, parse_inputs
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.data.target_encoding import build_label_weights, encode_targets
from mtl_core.data.task_groups import (
    FittedTask,
    TaskGroup,
    check_unique_names,
    fit_task,
    group_tasks,
)
from mtl_core.data.tasks import select_active_tasks
from mtl_core.nn.architecture import NetworkParts, build_architecture, build_backbone
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.seeding import derive_seed

TaskLabels = Mapping[str, Sequence[Label | None]]
"""Task name to labels, one per example."""


@dataclass(frozen=True)
class FittedData:
    """The fitted data and tasks of a run, ready for training.

    Attributes:
        corpus: The examples.
        labels: Task name to labels, one per example; tasks that derive labels from the inputs have no entry.
        split: Indices of the training, validation and test examples.
        encoder: The encoder, fitted on the training inputs.
        parsed: The parsed inputs.
        tasks: The active main tasks in the order of the experiment, then the auxiliary tasks.
        groups: The head groups of these tasks.
        examples: Encoded inputs and targets of all examples.
        warnings: Warnings about the data.
        load_s: Seconds spent loading and splitting.
        encode_s: Seconds spent encoding.
        inactive_tasks: Main tasks that the experiment declares but does not train.
    """

    corpus: Corpus
    labels: TaskLabels
    split: Split
    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    tasks: Sequence[FittedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    warnings: Sequence[str]
    load_s: float
    encode_s: float
    inactive_tasks: Sequence[FittedTask] = ()


@dataclass(frozen=True)
class _FittedTasks:
    """Tasks and targets, fitted on training data. The split may contain examples for auxiliary tasks only."""

    split: Split
    notes: Sequence[str]
    labels: TaskLabels
    tasks: Sequence[FittedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    inactive_tasks: Sequence[FittedTask]


def prepare(config: ExperimentConfig) -> FittedData:
    """Load, parse, split, fit and encode the data of an experiment.

    Raises:
        MtlError: If the data and the experiment do not match.
    """
    start = perf_counter()
    data = load_experiment_data(config)
    corpus, declared, labels = data.corpus, data.tasks, data.labels
    select_active_tasks(declared, config.active_tasks)  # validates the names before the inputs are parsed
    load_s = perf_counter() - start

    start = perf_counter()
    encoder = config.encoder.build()
    parsed = parse_inputs(encoder, corpus)
    encode_s = perf_counter() - start

    start = perf_counter()
    partition = partition_examples(corpus, declared, labels, encoder, parsed)
    split = split_corpus(corpus, partition.labelled, labels, config.split, derive_seed(config.seed, "split"))
    load_s += perf_counter() - start

    start = perf_counter()
    has_auxiliary = any(spec.weight > 0 for spec in config.auxiliary)
    unlabelled = (
        drop_leaked_rows(corpus, split, partition.unlabelled) if has_auxiliary else partition.unlabelled[:0]
    )
    fitted = _fit_tasks(config, corpus, declared, labels, encoder, parsed, split, unlabelled)
    encode_s += perf_counter() - start
    warnings = [
        *corpus.warnings,
        *partition.describe_excluded(corpus, fitted.split),
        *describe_unlabelled(config.active_tasks or [], fitted.split),
        *describe_unused_test(corpus, config.split),
        *describe_overlap(corpus, split),
        *describe_unsampled(config.loaders, corpus, fitted.split),
        *fitted.notes,
    ]
    return FittedData(
        corpus,
        fitted.labels,
        fitted.split,
        encoder,
        parsed,
        fitted.tasks,
        fitted.groups,
        fitted.examples,
        warnings,
        load_s,
        encode_s,
        fitted.inactive_tasks,
    )


def prepare_refit(config: ExperimentConfig, data: FittedData) -> FittedData:
    """Prepare the same data for the refit: validation examples become training examples."""
    split = data.split
    refit_split = replace(
        split,
        train=np.sort(np.concatenate([split.train, split.validation])),
        validation=np.zeros(0, dtype=np.int64),
    )
    encoder = config.encoder.build()
    parsed = parse_inputs(encoder, data.corpus)
    declared = [task.config for task in data.tasks if task.auxiliary_spec is None]
    fitted = _fit_tasks(
        config, data.corpus, declared, data.labels, encoder, parsed, refit_split, split.auxiliary_only
    )
    return replace(
        data,
        labels=fitted.labels,
        split=fitted.split,
        encoder=encoder,
        parsed=parsed,
        tasks=fitted.tasks,
        groups=fitted.groups,
        examples=fitted.examples,
    )


def build_network(
    config: ExperimentConfig, encoder: Encoder[Any, Any], groups: Sequence[TaskGroup]
) -> MultiTaskNetwork:
    """Build a network with initial weights from the seed of the run.

    With task-specific features, the initial weights of a task depend only on the seed and the task name, not on the
    other tasks.
    """
    torch.manual_seed(derive_seed(config.seed, "init"))
    names = [task.name for group in groups for task in group.tasks]
    parts = NetworkParts(encoder.input_layer, lambda shape: build_backbone(config.backbone, shape))
    trunk = build_architecture(config.architecture, parts, names)
    heads = []
    for group in groups:
        if config.architecture.task_specific_features:
            torch.manual_seed(derive_seed(config.seed, "init", group.tasks[0].name))
        heads.append(group.build_heads(trunk.output))
    return MultiTaskNetwork(trunk, heads)


def _fit_tasks(
    config: ExperimentConfig,
    corpus: Corpus,
    declared: Sequence[NamedTask],
    labels: TaskLabels,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
    split: Split,
    unlabelled: NDArray[np.int64],
) -> _FittedTasks:
    """Fit the encoder and the tasks, and encode inputs and targets.

    Args:
        config: The experiment.
        corpus: All examples.
        declared: All main tasks, including inactive ones.
        labels: Task name to labels.
        encoder: The encoder; it is fitted in place.
        parsed: The parsed inputs.
        split: Indices of the training, validation and test examples.
        unlabelled: `(n,)`, int64: training examples without a main label, on which auxiliary tasks may train.
    """
    train = np.sort(np.concatenate([split.train, unlabelled]))
    encoder.fit(parsed[row] for row in train)
    active_tasks = select_active_tasks(declared, config.active_tasks)
    main_labels = {task.name: labels[task.name] for task in active_tasks if task.name in labels}
    auxiliary_tasks = derive_auxiliary(config, corpus, main_labels, encoder, parsed, train)
    all_labels = {
        **main_labels,
        **{task.declared.name: task.labels for task in auxiliary_tasks if len(task.labels)},
    }
    has_auxiliary_label = np.array(
        [any(task.has_label(row) for task in auxiliary_tasks) for row in unlabelled.tolist()], dtype=bool
    )
    split = replace(split, auxiliary_only=unlabelled[has_auxiliary_label])
    if len(active_tasks) < len(declared):
        split = replace(
            split, label_mask=_compute_labelled_mask(active_tasks, labels, auxiliary_tasks, len(corpus))
        )
    known_rows = np.concatenate([split.all_training_rows, split.validation])

    def compute_statistics(task: NamedTask, column: Sequence[Label | None]) -> LabelStatistics:
        weighted_rows = select_weighted_rows(split.all_training_rows, corpus.weights.get(task.column))
        return compute_label_statistics(task, column, known_rows, weighted_rows, corpus.locations, encoder, parsed)

    main_tasks = [fit_task(task, compute_statistics(task, labels.get(task.name, ()))) for task in declared]
    tasks = [task for task in main_tasks if task.config in active_tasks]
    tasks += [
        fit_task(task.declared, compute_statistics(task.declared, task.labels), task.spec)
        for task in auxiliary_tasks
    ]
    check_unique_names(tasks)
    groups = group_tasks(tasks, one_per_group=config.architecture.task_specific_features)
    items = encode_inputs(encoder, parsed)
    examples = Examples(
        encoder,
        items,
        compute_item_lengths(encoder, corpus, items),
        encode_targets(groups, all_labels, corpus, encoder, parsed, items),
        build_label_weights(groups, corpus),
    )
    notes = [note for task in auxiliary_tasks for note in task.notes]
    inactive_tasks = [task for task in main_tasks if task.config not in active_tasks]
    return _FittedTasks(split, notes, all_labels, tasks, groups, examples, inactive_tasks)


def _compute_labelled_mask(
    active_tasks: Sequence[NamedTask], labels: TaskLabels, auxiliary_tasks: Sequence[DerivedTask], n_examples: int
) -> NDArray[np.bool_]:
    """Return for which examples an active main task or an auxiliary task has a label, `(examples,)`."""
    labelled = compute_label_mask(active_tasks, labels, n_examples)
    for task in auxiliary_tasks:
        if task.spec.weight > 0:
            labelled |= np.fromiter(
                (task.has_label(row) for row in range(n_examples)), dtype=bool, count=n_examples
            )
    return labelled
