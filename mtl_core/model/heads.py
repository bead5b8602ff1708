"""Heads: one module for a group of like tasks, or one a task."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.errors import MtlError
from mtl_core.model.features import Features
from mtl_core.model.task_keys import task_keys
from mtl_core.specs import Level


@dataclass(frozen=True)
class HeadOutput:
    """What heads say about a batch.

    Attributes:
        outputs: `(batch, tasks, outputs)` from a group, `(batch, outputs)` from one task's head; with a dimension
            of tokens before the last, if outputs are for tokens.
        attention: How much each token counted, `(batch, tasks, length)` or `(batch, length)`; rows sum to 1.
        read: What separate heads have read in training, a tensor a task that no other task reads; None for a task
            whose head was left out.
    """

    outputs: torch.Tensor
    attention: torch.Tensor | None = None
    read: Sequence[torch.Tensor | None] = ()


class HeadGroup(nn.Module):
    """Base of modules that serve several tasks at once.

    `forward(features, wanted)` gives a `HeadOutput` for all tasks; `wanted` is `(batch, tasks)`, bool, or None for
    all, and says for which examples outputs will be used. A group may leave out the work for the others.

    A task without a single label in a batch must not be moved by that batch's step, neither by momentum nor by
    weight decay. So a group says which of its parameters belong to which task.
    """

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Parameters whose first dimension counts the tasks."""
        return []

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Parameters that belong to one task alone."""
        return []


class SeparateHeads(HeadGroup):
    """One module a task, run one after the other.

    Args:
        names: The tasks' names.
        heads: Their modules, from `Features` to a tensor of outputs or a `HeadOutput` of one task.
        outputs: How many numbers a task needs for an example, or for a token.
        level: Whether a module gives outputs for examples, `(batch, outputs)`, or for tokens,
            `(batch, length, outputs)`.
    """

    def __init__(
        self, names: Sequence[str], heads: Sequence[nn.Module], outputs: int, level: Level = "example"
    ) -> None:
        super().__init__()
        self.names = list(names)
        self.width = outputs
        self.level = level
        self._keys = task_keys(names)
        self.heads = nn.ModuleDict(dict(zip(self._keys, heads, strict=True)))

    def forward(self, features: Features, wanted: torch.Tensor | None = None) -> HeadOutput:
        """Run every head on the examples that it has labels for, or on all of them."""
        if wanted is not None:
            return self._run_wanted(features, wanted)
        results = [self._run(task, features) for task in range(len(self._keys))]
        given = [result.attention for result in results if result.attention is not None]
        attention = torch.stack(given, dim=1) if len(given) == len(results) else None
        return HeadOutput(torch.stack([result.outputs for result in results], dim=1), attention)

    def _run_wanted(self, features: Features, wanted: torch.Tensor) -> HeadOutput:
        outputs = features.values.new_zeros(0)
        shape = self._shape(features)
        read: list[torch.Tensor | None] = [None] * len(self._keys)
        for task in range(len(self._keys)):
            rows = wanted[:, task].nonzero()[:, 0]
            if not len(rows):
                continue
            own = features.rows(rows) if len(rows) < shape[0] else features.view()
            read[task] = own.values
            said = self._run(task, own).outputs
            if said.ndim == 3:  # the longest of some examples may be shorter than the longest of all
                said = F.pad(said, (0, 0, 0, shape[1] - said.shape[1]))
            if not len(outputs):
                outputs = said.new_zeros((shape[0], len(self._keys), *shape[1:]))
            outputs = outputs.index_put((rows, torch.full_like(rows, task)), said)
        if not len(outputs):
            outputs = features.values.new_zeros((shape[0], len(self._keys), *shape[1:]))
        return HeadOutput(outputs, read=read)

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """All parameters of the task's own module."""
        return list(self.heads[self._keys[task]].parameters())

    def _run(self, task: int, features: Features) -> HeadOutput:
        result = self.heads[self._keys[task]](features)
        said = result if isinstance(result, HeadOutput) else HeadOutput(result)
        expected = self._shape(features)
        if not isinstance(said.outputs, torch.Tensor) or tuple(said.outputs.shape) != expected:
            names = "(batch, outputs)" if self.level == "example" else "(batch, length, outputs)"
            raise MtlError(
                f"the head of task '{self.names[task]}' gave {_described(said.outputs)}, "
                f"expected a tensor of shape {expected}: {names}"
            )
        return said

    def _shape(self, features: Features) -> tuple[int, ...]:
        batch, length = features.values.shape[:2]
        return (batch, self.width) if self.level == "example" else (batch, length, self.width)


def _described(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return "nothing (is there a `return`?)" if value is None else f"a {type(value).__name__}"
