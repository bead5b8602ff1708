"""The modules of cross-stitch networks."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from mtl_architectures.backbone_stack import build_stack
from mtl_architectures.stacked_gates import select_active
from mtl_core import Features, FeatureShape
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, build_task_keys, validate_features

MAX_TASKS_IN_LOOP = 8
"""Number of tasks up to which one weight per channel is faster as a loop over pairs of tasks."""


class CrossStitchUnit(nn.Module):
    """A learned linear combination of the features of all tasks, for each task.

    Args:
        tasks: Number of tasks.
        width: Width of the features.
        same_task_weight: Initial weight of a task's own features; the other tasks share the rest equally.
        per_channel: Whether to learn one weight per channel.
    """

    def __init__(self, tasks: int, width: int, same_task_weight: float, per_channel: bool) -> None:
        super().__init__()
        initial_weights = torch.full((tasks, tasks), (1 - same_task_weight) / max(tasks - 1, 1))
        initial_weights.fill_diagonal_(same_task_weight if tasks > 1 else 1.0)
        if per_channel:
            initial_weights = initial_weights.unsqueeze(2).repeat(1, 1, width)
        self.weight = nn.Parameter(initial_weights)
        """`(tasks, tasks)` or `(tasks, tasks, width)`: each row belongs to the task that reads the sum."""
        self.per_channel = per_channel

    def forward(self, values: Sequence[torch.Tensor], active: Sequence[bool]) -> torch.Tensor:
        """Mix the features of all tasks.

        Args:
            values: `(batch, ..., width)` per task, or `(batch, width, ...)` with two dimensions after the channels.
            active: Whether each task's result is needed.

        Returns:
            `(active tasks, batch, ...)`.
        """
        weight = select_active(self.weight, active)
        if not self.per_channel:
            return torch.einsum("at,t...->a...", weight, torch.stack(list(values)))
        is_spatial = values[0].ndim == 4  # channels come before height and width
        if len(values) > MAX_TASKS_IN_LOOP:
            equation = "atc,tbc...->abc..." if is_spatial else "atc,t...c->a...c"
            return torch.einsum(equation, weight, torch.stack(list(values)))
        rows = weight.unsqueeze(-1).unsqueeze(-1) if is_spatial else weight
        return torch.stack([_weighted_sum(row, values) for row in rows.unbind(0)])


def _weighted_sum(weights: torch.Tensor, values: Sequence[torch.Tensor]) -> torch.Tensor:
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = torch.addcmul(total, value, weight)
    return total


class CrossStitchNetwork(Architecture):
    """One input layer, one column of backbones per task, and a cross-stitch unit after each layer.

    Args:
        parts: Builds the input layer and the backbones.
        tasks: The tasks' names.
        layers: Number of backbones per column.
        same_task_weight: Initial weight of a task's own column.
        per_channel: Whether to learn one weight per channel.

    Raises:
        MtlError: If the backbone cannot be stacked.
    """

    def __init__(
        self, parts: NetworkParts, tasks: Sequence[str], layers: int, same_task_weight: float, per_channel: bool
    ) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        input_shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        first = build_stack(parts, input_shape, layers, "cross-stitch", "Choose `layers: 1`")
        copies = [first, *(deepcopy(first) for _ in tasks[1:])]
        self.columns = nn.ModuleDict(dict(zip(build_task_keys(tasks), copies, strict=True)))
        self._shapes: list[FeatureShape] = [backbone.output for backbone in first]  # type: ignore[misc]
        self.units = nn.ModuleList(
            [CrossStitchUnit(len(tasks), shape.width, same_task_weight, per_channel) for shape in self._shapes]
        )
        self.output = self._shapes[-1]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run all columns, since every task uses each of them; skip only the last mix of inactive tasks."""
        column_inputs: Sequence[Features | None] = [self.input_layer(inputs)] * len(self.columns)
        for depth, (unit, shape) in enumerate(zip(self.units, self._shapes, strict=True)):
            columns = zip(self.columns.values(), column_inputs, strict=True)
            column_outputs = [validate_features(column[depth](features), shape) for column, features in columns]  # type: ignore[index]
            needed = active if unit is self.units[-1] else [True] * len(column_outputs)
            mixed = unit([features.values for features in column_outputs], needed)
            column_inputs = TaskFeatures(mixed, needed, column_outputs[0].mask)
        return column_inputs

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the weights of the last unit; the columns are shared, since all tasks read each of them."""
        return list(self.units[-1].parameters())
