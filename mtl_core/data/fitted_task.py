"""Fit a task to its labels."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.config.tasks import NamedTask, describe_level_mismatch
from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.column_operations import count_members
from mtl_core.data.dense_space import DenseSpace, PixelClassSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError, join_names
from mtl_core.nn.task_kind import TaskKind, require_class_logits
from mtl_core.plugins.specs import AuxiliarySpec

MAX_NUMERIC_CLASSES = 50
"""The maximum number of classes that are numbers without a warning."""


@dataclass(frozen=True)
class FittedTask:
    """A declared task with the state that is fitted to the training data.

    Attributes:
        config: The task as the experiment declares it, or as the spec of an auxiliary task builds it.
        space: The label space.
        class_counts: Frequency of each class in the training labels; empty for numeric labels.
        kind: Loss, decoding and metrics.
        auxiliary_spec: The spec that builds the task if it is an auxiliary task; None for a main task.
        extension: The number of the extension (`mtl extend`) that added the task; 0 for a task of the first run.
    """

    config: NamedTask
    space: LabelSpace
    class_counts: Mapping[str, int]
    kind: TaskKind
    auxiliary_spec: AuxiliarySpec | None = None
    extension: int = 0

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.config.name


def fit_task(
    task_config: NamedTask, label_statistics: LabelStatistics, auxiliary_spec: AuxiliarySpec | None = None
) -> FittedTask:
    """Fit a task to its labels.

    Args:
        task_config: The task.
        label_statistics: Its labels in the training and validation data.
        auxiliary_spec: The spec that builds the task if it is an auxiliary task.

    Raises:
        MtlError: If the labels are invalid for the task.
    """
    try:
        check_level(task_config)
        space = task_config.kind.build_space(label_statistics)
        return FittedTask(task_config, space, *_build_kind(task_config, space, label_statistics), auxiliary_spec)
    except MtlError as error:
        raise MtlError(f"task '{task_config.name}': {error}") from error


def fit_each(tasks: Sequence[NamedTask], fit: Callable[[NamedTask], FittedTask]) -> list[FittedTask]:
    """Fit every task; if several cannot be fitted, one error names them.

    Args:
        tasks: The tasks.
        fit: Fits one task.

    Raises:
        MtlError: If the labels of a task are invalid.
    """
    fitted, failed = [], []
    first_error: MtlError | None = None
    for task in tasks:
        try:
            fitted.append(fit(task))
        except MtlError as error:
            failed.append(task.name)
            first_error = first_error or error
    if first_error is not None and len(failed) > 1:
        raise MtlError(f"{first_error}; {len(failed)} tasks cannot be fitted ({join_names(failed, 5)})")
    if first_error is not None:
        raise first_error
    return fitted


def _build_kind(
    task_config: NamedTask, space: LabelSpace, label_statistics: LabelStatistics
) -> tuple[Mapping[str, int], TaskKind]:
    class_counts: Counter[str] = Counter()
    if isinstance(space, PixelClassSpace):
        class_counts.update(space.class_counts)
    elif space.classes and not task_config.kind.reads_inputs:
        class_counts.update(count_members(label_statistics.training_labels))
    for name in label_statistics.excluded_labels:
        del class_counts[name]
    kind = task_config.kind.build(space, class_counts)
    for metric in kind.metrics:
        metric.check_space(space)  # before the first epoch
        if metric.reads_class_logits:
            require_class_logits(kind, metric, torch.zeros(0, kind.n_outputs))
    return class_counts, kind


def describe_numeric_classes(task: FittedTask) -> str:
    """Return a warning about a task with a class per number, which regression fits better; else an empty text."""
    names, reads_inputs = task.space.classes, task.config.kind.reads_inputs
    has_one_label = isinstance(task.space, ClassSpace) and not isinstance(task.space, MultiLabelSpace | DenseSpace)
    if not has_one_label or reads_inputs or len(names) <= MAX_NUMERIC_CLASSES or not all(map(_is_number, names)):
        return ""
    regression = "regression" if task.config.kind.level == "example" else "token-regression"
    return (
        f"task '{task.name}': each of the {len(names)} different numbers in the column '{task.config.column}' is a "
        f"class; if they are quantities, use `kind: {regression}`"
    )


def describe_numeric_tasks(tasks: Sequence[FittedTask]) -> list[str]:
    """Return a warning per task with a class per number; one for all of them if there are many tasks."""
    notes = {task.name: note for task in tasks if (note := describe_numeric_classes(task))}
    if len(notes) < 2 or not has_many_tasks(len(tasks)):
        return list(notes.values())
    return [
        f"{len(notes)} tasks have a class per number, more than {MAX_NUMERIC_CLASSES} each ({join_names(notes, 5)}); "
        "if the numbers are quantities, use `kind: regression`"
    ]


def describe_constant_tasks(tasks: Sequence[FittedTask]) -> list[str]:
    """Return warnings about main tasks whose training labels are all of one class or all the same number."""
    class_names = [
        task.name
        for task in tasks
        if task.auxiliary_spec is None
        and isinstance(task.space, ClassSpace)
        and not isinstance(task.space, MultiLabelSpace | DenseSpace)
        and not task.config.kind.reads_inputs
        and sum(count > 0 for count in task.class_counts.values()) == 1
    ]
    number_names = [
        task.name
        for task in tasks
        if task.auxiliary_spec is None and isinstance(task.space, NumberSpace) and task.space.is_constant
    ]
    reasons = {
        "training labels of one class only, and cannot learn to tell classes apart": class_names,
        "training labels that are all the same number, and cannot learn to predict others": number_names,
    }
    return [
        f"{'1 task has' if len(names) == 1 else f'{len(names)} tasks have'} {reason} ({join_names(names, 5)})"
        for reason, names in reasons.items()
        if names
    ]


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def check_level(task_config: NamedTask) -> None:
    """Check that head and kind of a task have the same level: example, token or pixel.

    Raises:
        MtlError: If the levels differ.
    """
    if validation_error := describe_level_mismatch(task_config.kind, task_config.head):
        raise MtlError(validation_error)
