"""Preparation of a run: load, split and encode the data, and fit the tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig, NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.declared import labelled_for, read_declared
from mtl_core.data.encoder import Encoder
from mtl_core.data.label_space import FoundLabels
from mtl_core.data.parsing import encode_inputs, item_lengths, parse_inputs
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.data.tasks import learned_tasks
from mtl_core.model.architecture import NetworkParts, build_architecture, build_backbone
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.auxiliary import DerivedTask, derive_auxiliary
from mtl_core.runs.encoding import encode_targets, label_weights
from mtl_core.runs.found import found_labels, rows_that_count
from mtl_core.runs.usable import overlap, set_aside, undrawn, unlearned, unseen_elsewhere, usable_examples
from mtl_core.seeding import derive_seed
from mtl_core.training.batches import Examples
from mtl_core.training.groups import (
    LearnedTask,
    TaskGroup,
    check_names,
    group_tasks,
    learn_task,
)

TaskLabels = Mapping[str, Sequence[Label | None]]
"""Task name to labels, one per example."""


@dataclass(frozen=True)
class Prepared:
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
        findings: Warnings about the data.
        load_s: Seconds spent loading and splitting.
        encode_s: Seconds spent encoding.
        others: Main tasks that the experiment declares but does not train.
    """

    corpus: Corpus
    labels: TaskLabels
    split: Split
    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    tasks: Sequence[LearnedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    findings: Sequence[str]
    load_s: float
    encode_s: float
    others: Sequence[LearnedTask] = ()


@dataclass(frozen=True)
class _Fitted:
    """Tasks and targets, fitted on training data. The split may contain examples for auxiliary tasks only."""

    split: Split
    notes: Sequence[str]
    labels: TaskLabels
    tasks: Sequence[LearnedTask]
    groups: Sequence[TaskGroup]
    examples: Examples
    others: Sequence[LearnedTask]


def prepare(config: ExperimentConfig) -> Prepared:
    """Load, parse, split, fit and encode the data of an experiment.

    Raises:
        MtlError: If the data and the experiment do not match.
    """
    start = perf_counter()
    data = read_declared(config)
    corpus, declared, labels = data.corpus, data.tasks, data.labels
    learned_tasks(declared, config.learn)  # validates the names before the inputs are parsed
    load_s = perf_counter() - start

    start = perf_counter()
    encoder = config.encoder.build()
    parsed = parse_inputs(encoder, corpus)
    encode_s = perf_counter() - start

    start = perf_counter()
    usable = usable_examples(corpus, declared, labels, encoder, parsed)
    split = split_corpus(corpus, usable.labelled, labels, config.split, derive_seed(config.seed, "split"))
    load_s += perf_counter() - start

    start = perf_counter()
    helping = any(spec.weight > 0 for spec in config.auxiliary)
    bare = unseen_elsewhere(corpus, split, usable.bare) if helping else usable.bare[:0]
    fitted = _fit(config, corpus, declared, labels, encoder, parsed, split, bare)
    encode_s += perf_counter() - start
    findings = [
        *corpus.findings,
        *usable.findings(corpus, fitted.split),
        *unlearned(config.learn or [], fitted.split),
        *set_aside(corpus, config.split),
        *overlap(corpus, split),
        *undrawn(config.sources, corpus, fitted.split),
        *fitted.notes,
    ]
    return Prepared(
        corpus,
        fitted.labels,
        fitted.split,
        encoder,
        parsed,
        fitted.tasks,
        fitted.groups,
        fitted.examples,
        findings,
        load_s,
        encode_s,
        fitted.others,
    )


def refit_all(config: ExperimentConfig, prepared: Prepared) -> Prepared:
    """Prepare the same data for the refit: validation examples become training examples."""
    split = prepared.split
    merged = replace(
        split,
        train=np.sort(np.concatenate([split.train, split.validation])),
        validation=np.zeros(0, dtype=np.int64),
    )
    encoder = config.encoder.build()
    parsed = parse_inputs(encoder, prepared.corpus)
    declared = [task.declared for task in prepared.tasks if task.auxiliary is None]
    fitted = _fit(config, prepared.corpus, declared, prepared.labels, encoder, parsed, merged, split.helping)
    return replace(
        prepared,
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
    body = build_architecture(config.architecture, parts, names)
    heads = []
    for group in groups:
        if config.architecture.own_features:
            torch.manual_seed(derive_seed(config.seed, "init", group.tasks[0].name))
        heads.append(group.build_heads(body.output))
    return MultiTaskNetwork(body, heads)


def _fit(
    config: ExperimentConfig,
    corpus: Corpus,
    declared: Sequence[NamedTask],
    labels: TaskLabels,
    encoder: Encoder[Any, Any],
    parsed: Sequence[Any],
    split: Split,
    bare: NDArray[np.int64],
) -> _Fitted:
    """Fit the encoder and the tasks, and encode inputs and targets.

    Args:
        config: The experiment.
        corpus: All examples.
        declared: All main tasks, including inactive ones.
        labels: Task name to labels.
        encoder: The encoder; it is fitted in place.
        parsed: The parsed inputs.
        split: Indices of the training, validation and test examples.
        bare: `(n,)`, int64: training examples without a main label, on which auxiliary tasks may train.
    """
    train = np.sort(np.concatenate([split.train, bare]))
    encoder.fit(parsed[row] for row in train)
    chosen = learned_tasks(declared, config.learn)
    main = {task.name: labels[task.name] for task in chosen if task.name in labels}
    derived = derive_auxiliary(config, corpus, main, encoder, parsed, train)
    every = {**main, **{task.declared.name: task.labels for task in derived if len(task.labels)}}
    spoken = np.array([any(task.speaks_of(row) for task in derived) for row in bare.tolist()], dtype=bool)
    split = replace(split, helping=bare[spoken])
    if len(chosen) < len(declared):
        split = replace(split, learned=_speaking(chosen, labels, derived, len(corpus)))
    known = np.concatenate([split.learned_from, split.validation])

    def found(task: NamedTask, column: Sequence[Label | None]) -> FoundLabels:
        counted = rows_that_count(split.learned_from, corpus.weights.get(task.column))
        return found_labels(task, column, known, counted, corpus.origins, encoder, parsed)

    every_main = [learn_task(task, found(task, labels.get(task.name, ()))) for task in declared]
    tasks = [task for task in every_main if task.declared in chosen]
    tasks += [learn_task(task.declared, found(task.declared, task.labels), task.spec) for task in derived]
    check_names(tasks)
    groups = group_tasks(tasks, alone=config.architecture.own_features)
    items = encode_inputs(encoder, parsed)
    examples = Examples(
        encoder,
        items,
        item_lengths(encoder, corpus, items),
        encode_targets(groups, every, corpus, encoder, parsed, items),
        label_weights(groups, corpus),
    )
    notes = [note for task in derived for note in task.notes]
    others = [task for task in every_main if task.declared not in chosen]
    return _Fitted(split, notes, every, tasks, groups, examples, others)


def _speaking(
    chosen: Sequence[NamedTask], labels: TaskLabels, derived: Sequence[DerivedTask], examples: int
) -> NDArray[np.bool_]:
    """Return for which examples an active main task or an auxiliary task has a label, `(examples,)`."""
    speaking = labelled_for(chosen, labels, examples)
    for task in derived:
        if task.spec.weight > 0:
            speaking |= np.fromiter((task.speaks_of(row) for row in range(examples)), dtype=bool, count=examples)
    return speaking
