"""Tasks that are ready to be learned, put into groups of like ones."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.config.experiment import NamedTask
from mtl_core.data.corpus import Label
from mtl_core.data.label_space import LabelSpace
from mtl_core.errors import MtlError
from mtl_core.model.features import FeatureShape
from mtl_core.model.heads import HeadGroup
from mtl_core.model.network import build_head_group
from mtl_core.training.kinds import TaskKind
from mtl_core.training.losses import GroupLoss, LossMask


@dataclass(frozen=True)
class LearnedTask:
    """A declared task with what the training data made of it.

    Attributes:
        declared: The task as the experiment declares it.
        space: Its labels.
        counts: How often each class stands in the training labels.
        kind: Its loss, decoding and metrics.
    """

    declared: NamedTask
    space: LabelSpace
    counts: Mapping[str, int]
    kind: TaskKind

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

    def build_heads(self, features: FeatureShape) -> HeadGroup:
        """Make the group's module."""
        first = self.tasks[0]
        names = [task.name for task in self.tasks]
        return build_head_group(first.declared.head, features, first.kind.outputs, names)

    def build_loss(self) -> GroupLoss:
        """Make the group's loss."""
        weights = [task.kind.class_weights for task in self.tasks]
        return GroupLoss(self.tasks[0].kind.loss, weights)

    def targets(self, columns: Sequence[Sequence[Label | None]], origins: Sequence[str]) -> torch.Tensor:
        """Encode a label column a task into targets `(examples, tasks, ...)`.

        Raises:
            MtlError: If a label lies outside its task's space.
        """
        encoded = []
        for task, column in zip(self.tasks, columns, strict=True):
            try:
                encoded.append(torch.from_numpy(task.space.encode(column, origins)))
            except MtlError as error:
                raise MtlError(f"task '{task.name}': {error}") from error
        return torch.stack(encoded, dim=1)


def learn_task(declared: NamedTask, known: Iterable[Label | None], training: Iterable[Label | None]) -> LearnedTask:
    """Make a task ready from its labels.

    Args:
        declared: The task.
        known: Labels of training and validation data: they make up the label space.
        training: Labels of the training data: they are counted.

    Raises:
        MtlError: If the labels do not make a task.
    """
    excluded = declared.mask.excluded()
    try:
        space = declared.kind.space([label for label in known if label is not None], excluded)
        counts = Counter(str(label) for label in training if label is not None and str(label) not in excluded)
        kind = declared.kind.build(space, counts)
        for metric in kind.metrics:
            metric.build(space)  # one that does not fit is refused now, not after the first epoch
        return LearnedTask(declared, space, counts, kind)
    except MtlError as error:
        raise MtlError(f"task '{declared.name}': {error}") from error


def group_tasks(tasks: Sequence[LearnedTask]) -> list[TaskGroup]:
    """Put tasks with equal kind, head, mask and number of outputs together, in the order of their first ones."""
    groups: list[list[LearnedTask]] = []
    for task in tasks:
        home = next((group for group in groups if _alike(group[0], task)), None)
        if home is None:
            groups.append([task])
        else:
            home.append(task)
    return [TaskGroup(group, group[0].declared.mask.build([task.space for task in group])) for group in groups]


def _alike(first: LearnedTask, second: LearnedTask) -> bool:
    return (
        first.declared.kind == second.declared.kind
        and first.declared.head == second.declared.head
        and first.declared.mask == second.declared.mask
        and first.kind.outputs == second.kind.outputs
    )
