"""Fit tasks to their labels and group tasks that share a head module."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.config.experiment import NamedTask, level_flaw
from mtl_core.data.label_space import FoundLabels, LabelSpace, members
from mtl_core.errors import MtlError, listed
from mtl_core.model.features import FeatureShape
from mtl_core.model.heads import HeadGroup
from mtl_core.model.network import build_head_group
from mtl_core.specs import AuxiliarySpec
from mtl_core.training.kinds import TaskKind
from mtl_core.training.losses import GroupLoss, LossMask


@dataclass(frozen=True)
class LearnedTask:
    """A declared task with the state that is fitted to the training data.

    Attributes:
        declared: The task as the experiment declares it, or as the spec of an auxiliary task builds it.
        space: The label space.
        counts: Frequency of each class in the training labels; empty for numeric labels.
        kind: Loss, decoding and metrics.
        auxiliary: The spec that builds the task if it is an auxiliary task; None for a main task.
    """

    declared: NamedTask
    space: LabelSpace
    counts: Mapping[str, int]
    kind: TaskKind
    auxiliary: AuxiliarySpec | None = None

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.declared.name


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that share a head module and are computed together.

    Attributes:
        tasks: The tasks, in the order of the columns of targets and outputs.
        mask: The mask of valid labels.
    """

    tasks: Sequence[LearnedTask]
    mask: LossMask

    @property
    def auxiliary(self) -> bool:
        """Whether the tasks are auxiliary tasks; a group never contains both main and auxiliary tasks."""
        return self.tasks[0].auxiliary is not None

    @property
    def answered(self) -> bool:
        """Whether predictions contain the tasks: main tasks, and auxiliary tasks with `keep: true`."""
        auxiliary = self.tasks[0].auxiliary
        return auxiliary is None or auxiliary.keep

    @property
    def label_dimensions(self) -> int:
        """Number of mask dimensions: 2, `(batch, tasks)`, or 3, `(batch, tasks, length)`, for labels per token."""
        return 3 if self.tasks[0].declared.kind.level == "token" else 2

    def build_heads(self, features: FeatureShape) -> HeadGroup:
        """Build the head module of the group."""
        first = self.tasks[0]
        names = [task.name for task in self.tasks]
        return build_head_group(first.declared.head, features, first.kind.outputs, names)

    def build_loss(self, consistency: float = 0.0) -> GroupLoss:
        """Build the loss of the group; `consistency` is the weight of the R-Drop loss."""
        weights = [task.kind.class_weights for task in self.tasks]
        kind = self.tasks[0].kind
        return GroupLoss(kind.loss, weights, kind.divergence, consistency)


def learn_task(declared: NamedTask, found: FoundLabels, auxiliary: AuxiliarySpec | None = None) -> LearnedTask:
    """Fit a task to its labels.

    Args:
        declared: The task.
        found: Its labels in the training and validation data.
        auxiliary: The spec that builds the task if it is an auxiliary task.

    Raises:
        MtlError: If the labels are invalid for the task.
    """
    try:
        check_level(declared)
        space = declared.kind.space(found)
        return LearnedTask(declared, space, *_kind(declared, space, found), auxiliary)
    except MtlError as error:
        raise MtlError(f"task '{declared.name}': {error}") from error


def _kind(declared: NamedTask, space: LabelSpace, found: FoundLabels) -> tuple[Mapping[str, int], TaskKind]:
    counts: Counter[str] = Counter()
    if space.classes and not declared.kind.reads_inputs:
        counts.update(str(member) for label in found.training for member in members(label))
        for name in found.excluded:
            del counts[name]
    kind = declared.kind.build(space, counts)
    for metric in kind.metrics:
        metric.build(space)  # rejects an unsuitable metric before the first epoch
    return counts, kind


def check_level(declared: NamedTask) -> None:
    """Check that head and kind of a task have the same level: example or token.

    Raises:
        MtlError: If the levels differ.
    """
    if flaw := level_flaw(declared.kind, declared.head):
        raise MtlError(flaw)


def group_tasks(tasks: Sequence[LearnedTask], alone: bool = False) -> list[TaskGroup]:
    """Group tasks with equal kind, head, mask and number of outputs, in the order of their first tasks.

    Args:
        tasks: Main tasks, followed by auxiliary tasks.
        alone: Whether to put every task into a separate group.
    """
    groups: list[list[LearnedTask]] = []
    for task in tasks:
        home = None if alone else next((group for group in groups if _alike(group[0], task)), None)
        if home is None:
            groups.append([task])
        else:
            home.append(task)
    return [TaskGroup(group, _mask(group)) for group in groups]


def _mask(group: Sequence[LearnedTask]) -> LossMask:
    try:
        return group[0].declared.mask.build([task.space for task in group])
    except MtlError as error:
        raise MtlError(f"task '{group[0].name}': {error}") from error


def _alike(first: LearnedTask, second: LearnedTask) -> bool:
    return (
        first.declared.kind == second.declared.kind
        and first.declared.head == second.declared.head
        and first.declared.mask == second.declared.mask
        and first.kind.outputs == second.kind.outputs
        and first.auxiliary is second.auxiliary
    )


def check_names(tasks: Sequence[LearnedTask]) -> None:
    """Check that every task name is unique, including those of auxiliary tasks.

    Raises:
        MtlError: If two tasks have the same name.
    """
    names = [task.name for task in tasks]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MtlError(
            f"auxiliary: '{twice[0]}' is also the name of another task (tasks: {listed(dict.fromkeys(names))}); "
            "give the auxiliary task another `name:`"
        )
