"""Tasks that are ready to be learned, put into groups of like ones."""

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
    """A declared task with what the training data made of it.

    Attributes:
        declared: The task as the experiment declares it, or as an auxiliary task's spec made it.
        space: Its labels.
        counts: How often each class stands in the training labels; empty for numbers.
        kind: Its loss, decoding and metrics.
        auxiliary: The block that it comes from if it is there to help the others; None for a main task.
    """

    declared: NamedTask
    space: LabelSpace
    counts: Mapping[str, int]
    kind: TaskKind
    auxiliary: AuxiliarySpec | None = None

    @property
    def name(self) -> str:
        """The task's name."""
        return self.declared.name


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that share a head module and are computed in one go.

    Attributes:
        tasks: The tasks, in the order of the columns of targets and outputs.
        mask: Which labels count.
    """

    tasks: Sequence[LearnedTask]
    mask: LossMask

    @property
    def auxiliary(self) -> bool:
        """Whether its tasks are auxiliary ones; a group holds none or only such."""
        return self.tasks[0].auxiliary is not None

    @property
    def answered(self) -> bool:
        """Whether its tasks are told in predictions: main tasks, and auxiliary ones that are to be kept."""
        auxiliary = self.tasks[0].auxiliary
        return auxiliary is None or auxiliary.keep

    @property
    def label_dimensions(self) -> int:
        """Dimensions of the mask: `(batch, tasks)`, and `length` besides if tokens are labelled."""
        return 3 if self.tasks[0].declared.kind.level == "token" else 2

    def build_heads(self, features: FeatureShape) -> HeadGroup:
        """Make the group's module."""
        first = self.tasks[0]
        names = [task.name for task in self.tasks]
        return build_head_group(first.declared.head, features, first.kind.outputs, names)

    def build_loss(self, consistency: float = 0.0) -> GroupLoss:
        """Make the group's loss, with how much it counts that two answers to the same inputs agree."""
        weights = [task.kind.class_weights for task in self.tasks]
        kind = self.tasks[0].kind
        return GroupLoss(kind.loss, weights, kind.divergence, consistency)


def learn_task(declared: NamedTask, found: FoundLabels, auxiliary: AuxiliarySpec | None = None) -> LearnedTask:
    """Make a task ready from its labels.

    Args:
        declared: The task.
        found: Its labels in training and validation data.
        auxiliary: The block that it comes from, if it is an auxiliary task.

    Raises:
        MtlError: If the labels do not make a task.
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
        metric.build(space)  # one that does not fit is refused now, not after the first epoch
    return counts, kind


def check_level(declared: NamedTask) -> None:
    """Refuse a head that gives outputs for examples where tokens are labelled, and the other way round.

    Raises:
        MtlError: If head and kind do not fit.
    """
    if flaw := level_flaw(declared.kind, declared.head):
        raise MtlError(flaw)


def group_tasks(tasks: Sequence[LearnedTask], alone: bool = False) -> list[TaskGroup]:
    """Put tasks with equal kind, head, mask and number of outputs together, in the order of their first ones.

    Args:
        tasks: Main tasks, then auxiliary ones.
        alone: Put every task into a group of its own.
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
    """Refuse an auxiliary task that is called like another task.

    Raises:
        MtlError: If two tasks have one name.
    """
    names = [task.name for task in tasks]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MtlError(
            f"auxiliary: '{twice[0]}' is the name of another task too (tasks: {listed(dict.fromkeys(names))}); "
            "give the auxiliary task another `name:`"
        )
