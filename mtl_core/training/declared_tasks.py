"""Tasks that a custom training loop declares: names, kinds and weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mtl_core.errors import MtlError, find_duplicates


@runtime_checkable
class TaskLike(Protocol):
    """An object that declares a task. Its attribute `weight`, if it has one, is the weight of its loss.

    Attributes:
        name: The name of the task.
        kind: A task kind or a loss, as in `MaskedLosses`.
    """

    @property
    def name(self) -> str:
        """The name of the task."""

    @property
    def kind(self) -> object:
        """The kind of the task."""


TaskDeclarations = Mapping[str, object] | Iterable[str | TaskLike]
"""Task name to its kind or loss, objects with the attributes `name` and `kind`, or names where a name suffices."""


@dataclass(frozen=True)
class DeclaredTask:
    """A task.

    Attributes:
        name: Its name.
        kind: Its kind or loss; None if only its name is declared.
        weight: Its weight.
    """

    name: str
    kind: object
    weight: float = 1.0


def list_declared_tasks(tasks: TaskDeclarations) -> list[DeclaredTask]:
    """Return the declared tasks, in their order.

    Raises:
        MtlError: If there is none, an element declares no task, or a name occurs twice.
    """
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise MtlError(f"tasks: expected a dictionary from task name to its kind, found {tasks!r}")
    if isinstance(tasks, Mapping):
        declared = [
            DeclaredTask(name, getattr(kind, "kind", None), _get_weight(kind, name))
            if isinstance(kind, TaskLike)
            else DeclaredTask(name, kind)
            for name, kind in tasks.items()
        ]
    else:
        declared = [_declare(task) for task in tasks]
    if not declared:
        raise MtlError("tasks: expected at least one task, found none")
    for task in declared:
        if not isinstance(task.name, str):
            raise MtlError(f"tasks: expected names as keys, found {task.name!r}")
    if duplicates := find_duplicates([task.name for task in declared]):
        raise MtlError(f"tasks: two tasks have the name '{duplicates[0]}'")
    return declared


def _declare(task: object) -> DeclaredTask:
    if isinstance(task, str):
        return DeclaredTask(task, None)
    if isinstance(task, TaskLike):
        return DeclaredTask(task.name, task.kind, _get_weight(task, task.name))
    raise MtlError(f"tasks: expected names, or objects with the attributes `name` and `kind`; found {task!r}")


def _get_weight(task: object, name: str) -> float:
    weight = getattr(task, "weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise MtlError(f"task '{name}': expected a weight of 0 or more, found {weight!r}")
    return float(weight)
