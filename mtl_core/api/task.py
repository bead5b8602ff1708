"""A task of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_core.api.blocks import Block, ModulePart, Part, build_block
from mtl_core.errors import MtlError, did_you_mean, join_names

KEYS = ("name", "kind", "head", "weight", "label", "mask", "data")


class Task:
    """One task: the name of its label column, the kind of its labels, and its head.

    Args:
        name: The name of the task, and of its label column unless `label` is given.
        kind: The kind of the labels: a name such as `classification`, `regression`, `multi-label` or `token-tagging`,
            a block, or a spec such as `mtl.Regression(loss="huber")`.
        head: The task-specific layers: a name, a block, a spec, a torch module from `(batch, width)` to `(batch,
            outputs)`, or a function of the feature shape and the number of outputs that builds one. By default
            `linear`, or `token-linear` for labels per token.
        weight: The weight of the task's loss; at 0 the loss is not computed.
        label: The label column.
        mask: Which labels count.
        data_sets: The data sets that the task is trained on, for a model from YAML with several.

    Raises:
        MtlError: If the name is empty, or an argument is not of the stated type.

    Example:
        >>> Task("rating", kind="regression", weight=0.5)
        Task('rating', kind='regression', weight=0.5)
    """

    def __init__(
        self,
        name: str,
        kind: Part = "classification",
        head: ModulePart | None = None,
        *,
        weight: float = 1.0,
        label: str | None = None,
        mask: Part | None = None,
        data_sets: Sequence[str] = (),
    ) -> None:
        if not isinstance(name, str) or not name:
            raise MtlError(f"Task: expected the name of a task, found {name!r}")
        self.name = name
        self.kind = kind
        self.head = head
        self.weight = weight
        self.label = label
        self.mask = mask
        self.data_sets = list(data_sets)

    def build_block(self, default_heads: dict[str, str]) -> Block:
        """Return the entry of the task in `tasks:`.

        Args:
            default_heads: Type of the task kind to type of its default head.
        """
        key = f"tasks['{self.name}']"
        kind = build_block(self.kind, f"{key}.kind", "task_kinds")
        kind_type = kind.value if isinstance(kind.value, str) else kind.value.get("type")
        head = build_block(
            self.head if self.head is not None else default_heads.get(str(kind_type), "linear"), f"{key}.head", "heads"
        )
        parts = [*kind.parts, *head.parts]
        entry: dict[str, Any] = {"name": self.name, "kind": kind.value, "head": head.value}
        if self.weight != 1.0:
            entry["weight"] = float(self.weight) if isinstance(self.weight, int) else self.weight
        if self.label is not None:
            entry["label"] = self.label
        if self.mask is not None:
            mask = build_block(self.mask, f"{key}.mask", "loss_masks")
            entry["mask"] = mask.value
            parts += mask.parts
        if self.data_sets:
            entry["data"] = self.data_sets
        return Block(entry, parts)

    def __repr__(self) -> str:
        values = {"kind": self.kind, "head": self.head, "weight": self.weight, "label": self.label, "mask": self.mask}
        defaults = {"kind": "classification", "weight": 1.0}
        changed = [f"{key}={value!r}" for key, value in values.items() if value != defaults.get(key)]
        return f"Task({', '.join([repr(self.name), *changed])})"


def parse_tasks(tasks: object) -> list[Task]:
    """Return the tasks of a model; a name is a classification task.

    Raises:
        MtlError: If it is no list of tasks.
    """
    if isinstance(tasks, str) or not isinstance(tasks, Sequence) or not tasks:
        raise MtlError(f"tasks: expected a list such as [mtl.Task('topic')], found {tasks!r}")
    parsed = []
    for index, task in enumerate(tasks):
        if isinstance(task, str):
            parsed.append(Task(task))
        elif isinstance(task, Task):
            parsed.append(task)
        elif isinstance(task, dict):
            unknown = next((key for key in task if key not in KEYS), None)
            hint = "" if unknown is None else f" ('{unknown}' is no argument{did_you_mean(unknown, KEYS)})"
            raise MtlError(f"tasks[{index}]: expected mtl.Task(…), found a dict{hint}; arguments: {join_names(KEYS)}")
        else:
            raise MtlError(f"tasks[{index}]: expected mtl.Task(…) or a name, found {task!r}")
    return parsed
