"""The modules of cross-stitch networks."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn import Architecture, NetworkParts, build_task_keys, validate_features


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
        # One parameter per task instead of one matrix: each row of the last unit belongs to one task.
        self.rows = nn.ParameterList([row.clone() for row in initial_weights])
        self.per_channel = per_channel

    def forward(self, values: Sequence[torch.Tensor], active: Sequence[bool]) -> list[torch.Tensor | None]:
        """Mix the features of all tasks.

        Args:
            values: `(batch, ..., width)` per task, or `(batch, width, ...)` with two dimensions after the channels.
            active: Whether each task's result is needed.

        Returns:
            `(batch, ..., width)` per task; None for a task that is not active.
        """
        rows = [row for row, is_active in zip(self.rows, active, strict=True) if is_active]
        if self.per_channel:  # equal to an einsum, but twice as fast
            if values[0].ndim == 4:  # channels come before height and width
                rows = [row.unsqueeze(-1).unsqueeze(-1) for row in rows]
            mixed = [_weighted_sum(row, values) for row in rows]
        else:
            mixed = list(torch.einsum("at,t...->a...", torch.stack(rows), torch.stack(list(values))))
        remaining = iter(mixed)
        return [next(remaining) if is_active else None for is_active in active]


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
        first = _build_column(parts, self.input_layer.output, layers)  # type: ignore[arg-type]
        copies = [first, *(deepcopy(first) for _ in tasks[1:])]
        self.columns = nn.ModuleDict(dict(zip(build_task_keys(tasks), copies, strict=True)))
        self._shapes: list[FeatureShape] = [backbone.output for backbone in first]  # type: ignore[misc]
        self.units = nn.ModuleList(
            [CrossStitchUnit(len(tasks), shape.width, same_task_weight, per_channel) for shape in self._shapes]
        )
        self.output = self._shapes[-1]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run all columns, since every task uses each of them; skip only the last mix of inactive tasks."""
        column_inputs: list[Features | None] = [self.input_layer(inputs)] * len(self.columns)
        for depth, (unit, shape) in enumerate(zip(self.units, self._shapes, strict=True)):
            columns = zip(self.columns.values(), column_inputs, strict=True)
            column_outputs = [validate_features(column[depth](features), shape) for column, features in columns]  # type: ignore[index]
            needed = active if unit is self.units[-1] else [True] * len(column_outputs)
            mixed = unit([features.values for features in column_outputs], needed)
            column_inputs = [None if values is None else Features(values, column_outputs[0].mask) for values in mixed]
        return column_inputs

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's weights in the last unit; its column is shared, since other tasks read it."""
        return [self.units[-1].get_parameter(f"rows.{task}")]


def _build_column(parts: NetworkParts, shape: FeatureShape, layers: int) -> nn.ModuleList:
    column = nn.ModuleList()
    for _ in range(layers):
        try:
            backbone = parts.backbone(shape)
        except MtlError as error:
            if not column:
                raise
            raise MtlError(
                "architecture 'cross-stitch': backbones cannot be stacked, since the second one does not accept "
                f"the features of the first ({error}). Choose `layers: 1`, or a backbone that can be stacked"
            ) from error
        column.append(backbone)
        shape = backbone.output  # type: ignore[assignment]
    return column
