"""Masked losses of several tasks for custom training loops."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.nn.task_keys import build_task_keys
from mtl_core.training.declared_tasks import TaskDeclarations, list_declared_tasks
from mtl_core.training.named_losses import NamedLosses
from mtl_core.training.task_criterion import TaskCriterion


class MaskedLosses(nn.Module):
    """The losses of several tasks, each the mean over the labels that its task has in the batch.

    A loss is computed for labelled examples only, so that neither a missing label nor the outputs of its example can
    reach the gradients. A task without any label in the batch has no loss.

    Args:
        tasks: Mapping of task name to its kind: a name (`"classification"`), a spec (`mtl.Regression(loss="huber")`),
            or a torch loss with `reduction="none"` (`nn.CrossEntropyLoss(reduction="none")`). Or objects with the
            attributes `name` and `kind`, and optionally `weight`; a task of weight 0 has no loss.
        class_weights: Mapping of task name to one weight per class, `(classes,)`. The loss is the weighted mean, as in
            `torch.nn.functional.cross_entropy`.

    Raises:
        MtlError: If a kind is unknown or has no loss outside of a run, or a torch loss is reduced.

    Example:
        >>> criterion = MaskedLosses({"topic": "classification", "rating": "regression"})
        >>> outputs = {"topic": torch.zeros(3, 4), "rating": torch.zeros(3)}
        >>> targets = {"topic": torch.tensor([2, -100, 0]), "rating": torch.tensor([torch.nan] * 3)}
        >>> losses = criterion(outputs, targets)
        >>> losses.counts
        {'topic': 2, 'rating': 0}
        >>> losses
        NamedLosses(topic=1.386)
    """

    def __init__(
        self, tasks: TaskDeclarations, class_weights: Mapping[str, Sequence[float] | torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        declared = list_declared_tasks(tasks)
        self.names = [task.name for task in declared]
        """The names of the tasks."""
        self.weights = {task.name: task.weight for task in declared}
        """The declared weight of each task."""
        class_weights = class_weights or {}
        _check_names("class_weights", class_weights, self.names)
        self._keys = dict(zip(self.names, build_task_keys(self.names), strict=True))
        self._criteria = nn.ModuleDict(
            {
                self._keys[task.name]: TaskCriterion(task.name, task.kind, class_weights.get(task.name))
                for task in declared
            }
        )

    def forward(
        self,
        outputs: Mapping[str, torch.Tensor],
        targets: Mapping[str, torch.Tensor | None],
        masks: Mapping[str, torch.Tensor] | None = None,
    ) -> NamedLosses:
        """Compute the loss of each task with a label in the batch.

        Args:
            outputs: Task name to outputs. For a task kind, `(batch, outputs)`, or `(batch,)` for one output; for kinds
                with a label per token or pixel, `(batch, ..., outputs)`. For a torch loss, in its own shape: the shape
                of the targets, or `(batch, classes, ...)`. Other keys are ignored.
            targets: Task name to targets, `(batch,)` or `(batch, ...)`. NaN in floats and any negative number in
                integers, such as -100, is a missing label. None is a batch without labels of the task. Other keys are
                ignored.
            masks: Task name to the labels that count, bool, of the shape of the targets; all tasks by default. A
                missing label never counts.

        Returns:
            The losses by task name, with the number of labels per task in `counts`.

        Raises:
            MtlError: If a task is missing in a dictionary, or shapes or dtypes do not fit.
            NonFiniteLossError: If a loss is not finite.
        """
        _check_complete("outputs", outputs, self.names)
        _check_complete("targets", targets, self.names)
        _check_names("masks", masks or {}, self.names)
        values: dict[str, torch.Tensor] = {}
        counts = dict.fromkeys(self.names, 0)
        for name in self.names:
            task_targets = targets[name]
            if task_targets is None or not self.weights[name]:
                continue
            _check_tensor("outputs", name, outputs[name])
            _check_tensor("targets", name, task_targets)
            value, counts[name] = self._criteria[self._keys[name]](outputs[name], task_targets, (masks or {}).get(name))
            if value is not None:
                values[name] = value
        return NamedLosses(values, counts, self.weights, {name: outputs[name] for name in self.names})


def _check_complete(argument: str, tensors: object, names: Sequence[str]) -> None:
    if not isinstance(tensors, Mapping):
        raise MtlError(f"{argument}: expected a dictionary from task name to tensor, found a {type(tensors).__name__}")
    missing = next((name for name in names if name not in tensors), None)
    if missing is not None:
        keys = [str(key) for key in tensors]
        raise MtlError(
            f"{argument}: task '{missing}' is missing{did_you_mean(missing, keys)} (keys: {join_names(keys)})"
        )


def _check_names(argument: str, values: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in values:
        if name not in names:
            raise MtlError(
                f"{argument}: there is no task '{name}'{did_you_mean(name, names)} (tasks: {join_names(names)})"
            )


def _check_tensor(argument: str, name: str, value: object) -> None:
    if not isinstance(value, torch.Tensor):
        raise MtlError(f"{argument}: expected a tensor for task '{name}', found a {type(value).__name__}")
