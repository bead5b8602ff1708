"""The data of a run that extends a finished run by tasks: its encoder, label spaces and split, and the new labels."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.extension import Extension, KnownSplit
from mtl_core.config.task_resolution import resolve_tasks
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Examples, RowIndices
from mtl_core.data.class_space import MultiLabelSpace
from mtl_core.data.columns import find_rows
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.dense_space import DenseSpace
from mtl_core.data.encoder import Encoder
from mtl_core.data.experiment_data import ExperimentData, compute_label_mask
from mtl_core.data.extension_split import SplitStep, split_in_steps
from mtl_core.data.fitted_data import FittedData, compute_split_statistics
from mtl_core.data.fitted_task import FittedTask, fit_task
from mtl_core.data.label_space import truncate
from mtl_core.data.parsing import parse_inputs
from mtl_core.data.sources import load_sources
from mtl_core.data.split_overlap import describe_overlap
from mtl_core.data.splitting import Split
from mtl_core.data.stage_timer import StageTimer
from mtl_core.data.target_encoding import encode_examples
from mtl_core.data.task_groups import group_tasks
from mtl_core.data.task_labels import find_label_columns, get_task_labels
from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.active_registry import get_registry
from mtl_core.runs.saved_run import SavedRun, load_run
from mtl_core.seeding import derive_seed

LabelColumns = Mapping[str, Sequence[Label | None]]
FIXED_BLOCKS = ("encoder", "backbone", "architecture")
"""The blocks that define the part of the network that all tasks share."""


def load_parent(config: ExperimentConfig, extension: Extension) -> SavedRun:
    """Load the run that an experiment extends.

    Raises:
        MtlError: If the run cannot be loaded, or the experiment has another network or other tasks.
    """
    parent = load_run(extension.run, config.plugins, get_registry(None).plugins.parts)
    if parent.config.active_tasks is not None:
        raise MtlError(
            f"{extension.run}: was trained on some of the tasks of its experiment (`active_tasks`), and cannot be "
            "extended; run an experiment that declares only these tasks"
        )
    if parent.config.architecture.task_specific_features:
        raise MtlError(
            f"{extension.run}: with the architecture '{parent.config.architecture.type}' each task has features of its "
            "own, so that a new task changes the network of the others; only runs whose tasks share all features "
            "(`hard-sharing`) can be extended: train a new network with all tasks"
        )
    for block in FIXED_BLOCKS:
        if getattr(config, block).model_dump(mode="json") != getattr(parent.config, block).model_dump(mode="json"):
            raise MtlError(
                f"{block}: differs from {extension.run}, whose trained network is extended; it cannot be changed"
            )
    declared = {task.name for task in config.tasks if isinstance(task, NamedTask)} - set(extension.tasks)
    if (known := {task.name for task in parent.main_tasks}) != declared:
        raise MtlError(
            f"extends.tasks: {extension.run} has the tasks {join_names(sorted(known))}, but the experiment declares "
            f"{join_names(sorted(declared))} besides the added ones"
        )
    return parent


def prepare_extension(config: ExperimentConfig, extension: Extension) -> FittedData:
    """Load and encode the data of an extended run, and fit the added tasks.

    Nothing of the extended run is fitted again: inputs are encoded by its encoder, and its tasks have its label spaces.
    Its calibration is not part of the result.

    Args:
        config: The experiment.
        extension: Its block `extends`.

    Raises:
        MtlError: If the data, the run and the experiment do not match.
    """
    timer = StageTimer()
    with timer.measure("load"):
        parent = load_parent(config, extension)
        corpus = load_sources(config.loaders)
        tasks = [task for task in config.tasks if isinstance(task, NamedTask)]
        added = _resolve_added_tasks(config, extension, corpus)
        labels = {task.name: get_task_labels(task, corpus) for task in tasks if not task.kind.reads_inputs}
        for task in added:
            _check_has_label(task, labels[task.name], corpus)
    with timer.measure("encode"):
        parsed = parse_inputs(parent.encoder, corpus)
    with timer.measure("load"):
        has_input = np.fromiter((not parent.encoder.is_empty(value) for value in parsed), dtype=bool, count=len(corpus))
        split = _split(config, extension, corpus, labels, has_input)
    with timer.measure("encode"):
        number = 1 + max(task.extension for group in parent.groups for task in group.tasks)
        experiment_data = ExperimentData(corpus, tasks, labels)
        fitted = [_fit_task(task, experiment_data, split, parent.encoder, parsed, number) for task in added]
        old_groups = [group for group in parent.groups if not group.is_auxiliary]
        groups = [*old_groups, *group_tasks(fitted), *(group for group in parent.groups if group.is_auxiliary)]
        for group in groups:
            for fitted_task in group.tasks:
                fitted_task.kind.calibration = {}
        missing: list[Label | None] = [None] * len(corpus)
        encoded_labels = {task.name: labels.get(task.name, missing) for group in groups for task in group.tasks}
        examples = encode_examples(groups, encoded_labels, corpus, parent.encoder, parsed)
    return FittedData(
        experiment_data=experiment_data,
        split=split,
        encoder=parent.encoder,
        parsed=parsed,
        labels=labels,
        tasks=[task for group in groups for task in group.tasks],
        inactive_tasks=[],
        groups=groups,
        examples=examples,
        warnings=[*corpus.warnings, *describe_overlap(corpus, split), *_describe_empty(corpus, has_input)],
        load_s=timer.seconds["load"],
        encode_s=timer.seconds["encode"],
    )


def select_tasks(data: FittedData, names: Collection[str]) -> FittedData:
    """Return the data of some tasks, as if there were no others; a head group is selected as a whole.

    Args:
        data: The data of all tasks.
        names: The names of the tasks.
    """
    indices = [index for index, group in enumerate(data.groups) if group.tasks[0].name in names]
    groups = [data.groups[index] for index in indices]
    tasks = [task for group in groups for task in group.tasks]
    examples = data.examples
    label_mask = compute_label_mask([task.config for task in tasks], data.labels, len(data.corpus))
    return replace(
        data,
        groups=groups,
        tasks=tasks,
        labels={task.name: data.labels[task.name] for task in tasks if task.name in data.labels},
        split=replace(data.split, label_mask=label_mask),
        examples=Examples(
            examples.encoder,
            examples.items,
            examples.lengths,
            [examples.targets[index] for index in indices],
            [examples.weights[index] for index in indices],
        ),
    )


def _resolve_added_tasks(config: ExperimentConfig, extension: Extension, corpus: Corpus) -> list[NamedTask]:
    entries = [task for task in config.tasks if isinstance(task, NamedTask) and task.name in extension.tasks]
    for entry in entries:
        if entry.kind.reads_inputs:
            raise MtlError(
                f"task '{entry.name}': the kind '{entry.kind.type}' derives its targets from the inputs; a run is "
                "extended by tasks with labels"
            )
    return resolve_tasks(entries, find_label_columns(corpus, list(config.loaders)))


def _check_has_label(task: NamedTask, labels: Sequence[Label | None], corpus: Corpus) -> None:
    """Check that an added task has a training label.

    Raises:
        MtlError: If it has none.
    """
    if compute_label_mask([task], {task.name: labels}, len(corpus))[corpus.get_row_indices("train")].any():
        return
    data_sets = f" of the data set {join_names(task.data)}" if task.data else ""
    raise MtlError(f"task '{task.name}': no training example has a label in the column '{task.column}'{data_sets}")


def _split(
    config: ExperimentConfig, extension: Extension, corpus: Corpus, labels: LabelColumns, has_input: NDArray[np.bool_]
) -> Split:
    """Split known examples as in the runs before, and new examples by the labels of the added tasks."""
    tasks = {task.name: task for task in config.tasks if isinstance(task, NamedTask)}
    new = KnownSplit(tasks=extension.tasks, data_sets=list(config.loaders), split=config.split, seed=config.seed)
    steps = []
    for step in (*extension.splits, new):
        step_tasks = [tasks[name] for name in step.tasks]
        step_data = ExperimentData(corpus, step_tasks, {name: labels[name] for name in step.tasks if name in labels})
        steps.append(
            SplitStep(
                _find_rows(config, corpus, step.data_sets),
                compute_label_mask(step_tasks, step_data.labels, len(corpus)) & has_input,
                step_data.stratification_labels,
                step.split,
                derive_seed(step.seed, "split"),
            )
        )
    return split_in_steps(corpus, steps)


def _find_rows(config: ExperimentConfig, corpus: Corpus, data_sets: Sequence[str]) -> RowIndices:
    """Return the row indices of the examples of some data sets."""
    if not len(corpus.sources):
        return np.arange(len(corpus) if next(iter(config.loaders)) in data_sets else 0, dtype=np.int64)
    return np.sort(np.concatenate([find_rows(corpus.sources, name) for name in data_sets]))


def _fit_task(
    task: NamedTask, data: ExperimentData, split: Split, encoder: Encoder[Any, Any], parsed: Sequence[Any], number: int
) -> FittedTask:
    """Fit an added task to its labels.

    Raises:
        MtlError: If it has no label in the training data, or all of them are equal.
    """
    labels = data.labels[task.name]
    statistics = compute_split_statistics(task, labels, split, data.corpus, encoder, parsed)
    if not len(statistics.training_labels):
        raise MtlError(f"task '{task.name}': no label is left for training; add labelled examples")
    fitted = fit_task(task, statistics)
    distinct = {str(label) for label in statistics.training_labels}
    if len(distinct) == 1 and not isinstance(fitted.space, MultiLabelSpace | DenseSpace):
        raise MtlError(
            f"task '{task.name}': all {len(statistics.training_labels)} training labels are "
            f"'{truncate(next(iter(distinct)))}'; there is nothing to learn from a single value"
        )
    return replace(fitted, extension=number)


def _describe_empty(corpus: Corpus, has_input: NDArray[np.bool_]) -> list[str]:
    empty = np.flatnonzero(~has_input)
    if not len(empty):
        return []
    return [f"{len(empty)} examples have an empty input ({join_names([corpus.ids[row] for row in empty.tolist()], 5)})"]
