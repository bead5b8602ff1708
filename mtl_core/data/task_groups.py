"""Fit tasks to their labels and group tasks that share a head module."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.config.experiment import NamedTask, describe_level_mismatch
from mtl_core.data.label_space import LabelSpace, LabelStatistics, flatten_label
from mtl_core.errors import MtlError, join_names
from mtl_core.nn.features import FeatureShape
from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.network import build_head_group
from mtl_core.nn.task_kind import TaskKind
from mtl_core.plugins.specs import AuxiliarySpec
from mtl_core.training.losses import GroupLoss, LossMask


@dataclass(frozen=True)
class FittedTask:
    """A declared task with the state that is fitted to the training data.

    Attributes:
        config: The task as the experiment declares it, or as the spec of an auxiliary task builds it.
        space: The label space.
        class_counts: Frequency of each class in the training labels; empty for numeric labels.
        kind: Loss, decoding and metrics.
        auxiliary_spec: The spec that builds the task if it is an auxiliary task; None for a main task.
    """

    config: NamedTask
    space: LabelSpace
    class_counts: Mapping[str, int]
    kind: TaskKind
    auxiliary_spec: AuxiliarySpec | None = None

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.config.name


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that share a head module and are computed together.

    Attributes:
        tasks: The tasks, in the order of the columns of targets and outputs.
        mask: The mask of valid labels.
    """

    tasks: Sequence[FittedTask]
    mask: LossMask

    @property
    def is_auxiliary(self) -> bool:
        """Whether the tasks are auxiliary tasks; a group never contains both main and auxiliary tasks."""
        return self.tasks[0].auxiliary_spec is not None

    @property
    def is_predicted(self) -> bool:
        """Whether predictions contain the tasks: main tasks, and auxiliary tasks with `save_head: true`."""
        auxiliary_spec = self.tasks[0].auxiliary_spec
        return auxiliary_spec is None or auxiliary_spec.save_head

    @property
    def n_mask_dimensions(self) -> int:
        """Number of mask dimensions: 2, `(batch, tasks)`, or 3, `(batch, tasks, length)`, for labels per token."""
        return 3 if self.tasks[0].config.kind.level == "token" else 2

    def build_heads(self, features: FeatureShape) -> HeadGroup:
        """Build the head module of the group."""
        first = self.tasks[0]
        names = [task.name for task in self.tasks]
        return build_head_group(first.config.head, features, first.kind.n_outputs, names)

    def build_loss(self, r_drop: float = 0.0) -> GroupLoss:
        """Build the loss of the group; `r_drop` is the weight of the R-Drop loss."""
        weights = [task.kind.class_weights for task in self.tasks]
        kind = self.tasks[0].kind
        return GroupLoss(kind.loss, weights, kind.compute_divergence, r_drop)


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


def _build_kind(
    task_config: NamedTask, space: LabelSpace, label_statistics: LabelStatistics
) -> tuple[Mapping[str, int], TaskKind]:
    class_counts: Counter[str] = Counter()
    if space.classes and not task_config.kind.reads_inputs:
        class_counts.update(
            str(member) for label in label_statistics.training_labels for member in flatten_label(label)
        )
        for name in label_statistics.excluded_labels:
            del class_counts[name]
    kind = task_config.kind.build(space, class_counts)
    for metric in kind.metrics:
        metric.build(space)  # rejects an unsuitable metric before the first epoch
    return class_counts, kind


def check_level(task_config: NamedTask) -> None:
    """Check that head and kind of a task have the same level: example or token.

    Raises:
        MtlError: If the levels differ.
    """
    if validation_error := describe_level_mismatch(task_config.kind, task_config.head):
        raise MtlError(validation_error)


def group_tasks(tasks: Sequence[FittedTask], one_per_group: bool = False) -> list[TaskGroup]:
    """Group tasks with equal kind, head, mask and number of outputs, in the order of their first tasks.

    Args:
        tasks: Main tasks, followed by auxiliary tasks.
        one_per_group: Whether to put every task into a separate group.
    """
    groups: list[list[FittedTask]] = []
    for task in tasks:
        matching_group = (
            None if one_per_group else next((group for group in groups if _can_share_head(group[0], task)), None)
        )
        if matching_group is None:
            groups.append([task])
        else:
            matching_group.append(task)
    return [TaskGroup(group, _build_mask(group)) for group in groups]


def _build_mask(group: Sequence[FittedTask]) -> LossMask:
    try:
        return group[0].config.mask.build([task.space for task in group])
    except MtlError as error:
        raise MtlError(f"task '{group[0].name}': {error}") from error


def _can_share_head(first: FittedTask, second: FittedTask) -> bool:
    return (
        first.config.kind == second.config.kind
        and first.config.head == second.config.head
        and first.config.mask == second.config.mask
        and first.kind.n_outputs == second.kind.n_outputs
        and first.auxiliary_spec is second.auxiliary_spec
    )


def check_unique_names(tasks: Sequence[FittedTask]) -> None:
    """Check that every task name is unique, including those of auxiliary tasks.

    Raises:
        MtlError: If two tasks have the same name.
    """
    names = [task.name for task in tasks]
    duplicates = [name for name in names if names.count(name) > 1]
    if duplicates:
        raise MtlError(
            f"auxiliary: '{duplicates[0]}' is also the name of another task (tasks: {join_names(dict.fromkeys(names))}); "
            "give the auxiliary task another `name:`"
        )
