"""Heads: one module per group of similar tasks, or one module per task."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features
from mtl_core.nn.task_keys import build_task_keys
from mtl_core.plugins.specs import Level


@dataclass(frozen=True)
class HeadOutput:
    """The outputs of heads for a batch.

    Attributes:
        outputs: `(batch, tasks, outputs)` from a head group, `(batch, outputs)` from the head of one task; for
            outputs per token or pixel, with a dimension `length` (`pixels`) before the last.
        attention: Attention weight of each token, `(batch, tasks, length)` or `(batch, length)`; rows sum to 1.
        head_inputs: The input features of each separate head in training, one tensor per task that no other task
            reads; None for a task whose head is skipped.
    """

    outputs: torch.Tensor
    attention: torch.Tensor | None = None
    head_inputs: Sequence[torch.Tensor | None] = ()


class HeadGroup(nn.Module):
    """Base class of modules that compute several tasks at once.

    `forward(features, output_mask)` returns a `HeadOutput` for all tasks. `output_mask`, `(batch, tasks)`, bool,
    marks the examples whose outputs are used; None marks all. A head group may skip the other outputs.

    If the spec sets `reads_task_features`, `features` may be a `TaskFeatures`: features per task in one tensor.

    The step of a batch must not update a task without a label in it, neither through momentum nor through weight
    decay. Therefore a head group declares which of its parameters belong to which task.
    """

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters whose first dimension is the task."""
        return []

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters that belong to a single task."""
        return []

    def linear_weight(self) -> torch.Tensor | None:
        """Return the weights if the next outputs for one vector per example are linear in it, apart from a bias.

        Gradients at the features then follow from those at the outputs.

        Returns:
            `(tasks, outputs, width)`; None for other outputs, such as those with dropout in training.
        """
        return None


class SeparateHeads(HeadGroup):
    """One module per task, computed sequentially.

    Args:
        names: The task names.
        heads: One module per task, from `Features` to a tensor of outputs or to the `HeadOutput` of one task.
        outputs: Number of outputs per example, token or pixel.
        level: Whether a module returns outputs per example, `(batch, outputs)`, per token,
            `(batch, length, outputs)`, or per pixel, `(batch, pixels, outputs)`.
        image_size: (height, width) of the images; required for outputs per pixel.
    """

    def __init__(
        self,
        names: Sequence[str],
        heads: Sequence[nn.Module],
        outputs: int,
        level: Level = "example",
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.names = list(names)
        self.n_outputs = outputs
        self.level = level
        self.n_pixels = image_size[0] * image_size[1] if image_size is not None else 0
        self._keys = build_task_keys(names)
        self.heads = nn.ModuleDict(dict(zip(self._keys, heads, strict=True)))

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Run every head on the examples that `output_mask` marks for its task, or on all examples."""
        if output_mask is not None:
            return self._run_masked(features, output_mask)
        results = [self._run(task, features) for task in range(len(self._keys))]
        attentions = [result.attention for result in results if result.attention is not None]
        attention = torch.stack(attentions, dim=1) if len(attentions) == len(results) else None
        return HeadOutput(torch.stack([result.outputs for result in results], dim=1), attention)

    def _run_masked(self, features: Features, output_mask: torch.Tensor) -> HeadOutput:
        outputs = features.values.new_zeros(0)
        shape = self._shape(features)
        head_inputs: list[torch.Tensor | None] = [None] * len(self._keys)
        for task in range(len(self._keys)):
            row_indices = output_mask[:, task].nonzero()[:, 0]
            if not len(row_indices):
                continue
            task_features = features.select_rows(row_indices) if len(row_indices) < shape[0] else features.view()
            head_inputs[task] = task_features.values
            task_outputs = self._run(task, task_features).outputs
            if task_outputs.ndim == 3:  # the longest of these examples may be shorter than the longest of the batch
                task_outputs = F.pad(task_outputs, (0, 0, 0, shape[1] - task_outputs.shape[1]))
            if not len(outputs):
                outputs = task_outputs.new_zeros((shape[0], len(self._keys), *shape[1:]))
            outputs = outputs.index_put((row_indices, torch.full_like(row_indices, task)), task_outputs)
        if not len(outputs):
            outputs = features.values.new_zeros((shape[0], len(self._keys), *shape[1:]))
        return HeadOutput(outputs, head_inputs=head_inputs)

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return all parameters of the task's module."""
        return list(self.heads[self._keys[task]].parameters())

    def _run(self, task: int, features: Features) -> HeadOutput:
        result = self.heads[self._keys[task]](features)
        output = result if isinstance(result, HeadOutput) else HeadOutput(result)
        expected = self._shape(features)
        if not isinstance(output.outputs, torch.Tensor) or tuple(output.outputs.shape) != expected:
            dimensions = _DIMENSIONS[self.level]
            raise MtlError(
                f"the head of task '{self.names[task]}' returned {_describe(output.outputs)}, "
                f"expected a tensor of shape {expected}: {dimensions}"
            )
        return output

    def _shape(self, features: Features) -> tuple[int, ...]:
        batch, length = features.values.shape[:2]
        if self.level == "example":
            return (batch, self.n_outputs)
        return (batch, length if self.level == "token" else self.n_pixels, self.n_outputs)


_DIMENSIONS: dict[Level, str] = {
    "example": "(batch, outputs)",
    "token": "(batch, length, outputs)",
    "pixel": "(batch, pixels, outputs)",
}


def _describe(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return "None (is there a `return`?)" if value is None else f"a {type(value).__name__}"
