"""Groups of tasks that share a head module."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.loss_mask import LossMask
from mtl_core.errors import MtlError, join_names
from mtl_core.nn.features import FeatureShape
from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.network import build_head_group, build_stacked_heads

MIN_STACKED_TASKS = 9
"""Number of equal tasks from which on heads that read features per task are one module. One module per task computes
the same bits with and without the other tasks, and costs little for few tasks."""


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
        """Number of mask dimensions: 2, `(batch, tasks)`, or 3, `(batch, tasks, length)`, for tokens and pixels."""
        return 2 if self.tasks[0].config.kind.level == "example" else 3

    def build_heads(self, features: FeatureShape, seed_task: Callable[[str], object] | None = None) -> HeadGroup:
        """Build the head module of the group.

        Args:
            features: The shape of the features.
            seed_task: Seeds torch's generator for a task name, so that the initial weights of a task do not depend on
                the other tasks; None draws the weights of all tasks from the generator as it is.
        """
        first = self.tasks[0]
        names = [task.name for task in self.tasks]
        if seed_task is None:
            return build_head_group(first.config.head, features, first.kind.n_outputs, names)
        return build_stacked_heads(first.config.head, features, first.kind.n_outputs, names, seed_task)


def group_tasks(tasks: Sequence[FittedTask], task_specific_features: bool = False) -> list[TaskGroup]:
    """Group tasks with equal kind, head, mask and number of outputs, in the order of their first tasks.

    Args:
        tasks: Main tasks, followed by auxiliary tasks.
        task_specific_features: Whether each task reads task-specific features. Tasks are then grouped only if there
            are at least `MIN_STACKED_TASKS` equal ones whose head reads features per task as one tensor
            (`HeadSpec.reads_task_features`).
    """
    groups = _group_equal_tasks(tasks)
    if task_specific_features:
        stacked = {
            id(task): group
            for group in groups
            if len(group) >= MIN_STACKED_TASKS and group[0].config.head.reads_task_features
            for task in group
        }
        groups = [group for task in tasks if (group := stacked.get(id(task), [task]))[0] is task]
    return [TaskGroup(group, _build_mask(group)) for group in groups]


def _group_equal_tasks(tasks: Sequence[FittedTask]) -> list[list[FittedTask]]:
    groups: list[list[FittedTask]] = []
    for task in tasks:
        matching_group = next((group for group in groups if _can_share_head(group[0], task)), None)
        if matching_group is None:
            groups.append([task])
        else:
            matching_group.append(task)
    return groups


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
        # A batched product with more tasks may round differently: the outputs of the tasks of a run stay bit-identical.
        and first.extension == second.extension
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
            f"auxiliary: '{duplicates[0]}' is also the name of another task "
            f"(tasks: {join_names(dict.fromkeys(names))}); give the auxiliary task another `name:`"
        )
