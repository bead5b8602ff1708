"""Heads: one module per group of similar tasks, or one module per task."""

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
    """The outputs of heads for a batch.

    Attributes:
        outputs: `(batch, tasks, outputs)` from a head group, `(batch, outputs)` from the head of one task; for
            outputs per token, with a dimension `length` before the last.
        attention: Attention weight of each token, `(batch, tasks, length)` or `(batch, length)`; rows sum to 1.
        read: The input features of each separate head in training, one tensor per task that no other task reads;
            None for a task whose head is skipped.
    """

    outputs: torch.Tensor
    attention: torch.Tensor | None = None
    read: Sequence[torch.Tensor | None] = ()


class HeadGroup(nn.Module):
    """Base class of modules that compute several tasks at once.

    `forward(features, wanted)` returns a `HeadOutput` for all tasks. `wanted`, `(batch, tasks)`, bool, marks the
    examples whose outputs are used; None marks all. A head group may skip the other outputs.

    The step of a batch must not update a task without a label in it, neither through momentum nor through weight
    decay. Therefore a head group declares which of its parameters belong to which task.
    """

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the task."""
        return []

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters that belong to a single task."""
        return []


class SeparateHeads(HeadGroup):
    """One module per task, computed sequentially.

    Args:
        names: The task names.
        heads: One module per task, from `Features` to a tensor of outputs or to the `HeadOutput` of one task.
        outputs: Number of outputs per example, or per token.
        level: Whether a module returns outputs per example, `(batch, outputs)`, or per token,
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
        """Run every head on the examples that `wanted` marks for its task, or on all examples."""
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
            if said.ndim == 3:  # the longest of these examples may be shorter than the longest of the batch
                said = F.pad(said, (0, 0, 0, shape[1] - said.shape[1]))
            if not len(outputs):
                outputs = said.new_zeros((shape[0], len(self._keys), *shape[1:]))
            outputs = outputs.index_put((rows, torch.full_like(rows, task)), said)
        if not len(outputs):
            outputs = features.values.new_zeros((shape[0], len(self._keys), *shape[1:]))
        return HeadOutput(outputs, read=read)

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return all parameters of the task's module."""
        return list(self.heads[self._keys[task]].parameters())

    def _run(self, task: int, features: Features) -> HeadOutput:
        result = self.heads[self._keys[task]](features)
        said = result if isinstance(result, HeadOutput) else HeadOutput(result)
        expected = self._shape(features)
        if not isinstance(said.outputs, torch.Tensor) or tuple(said.outputs.shape) != expected:
            names = "(batch, outputs)" if self.level == "example" else "(batch, length, outputs)"
            raise MtlError(
                f"the head of task '{self.names[task]}' returned {_described(said.outputs)}, "
                f"expected a tensor of shape {expected}: {names}"
            )
        return said

    def _shape(self, features: Features) -> tuple[int, ...]:
        batch, length = features.values.shape[:2]
        return (batch, self.width) if self.level == "example" else (batch, length, self.width)


def _described(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return "None (is there a `return`?)" if value is None else f"a {type(value).__name__}"
