"""The modules of multi-task attention networks."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_architectures.backbone_stack import build_stack
from mtl_architectures.stacked_gates import select_active
from mtl_core import Features, FeatureShape
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, validate_features


class AttentionModules(nn.Module):
    """The attention modules of all tasks after one backbone, stacked by task.

    Args:
        tasks: Number of tasks.
        shared_width: Channels of the shared features.
        task_width: Channels of the task's features after the backbone before; 0 after the first backbone.
        hidden_dim: Channels between the two layers.
    """

    def __init__(self, tasks: int, shared_width: int, task_width: int, hidden_dim: int) -> None:
        super().__init__()
        width = shared_width + task_width
        self.hidden_weight = nn.Parameter(_sample_uniform((tasks, width, hidden_dim), width))
        self.hidden_bias = nn.Parameter(_sample_uniform((tasks, hidden_dim), width))
        self.weight = nn.Parameter(_sample_uniform((tasks, hidden_dim, shared_width), hidden_dim))
        self.bias = nn.Parameter(_sample_uniform((tasks, shared_width), hidden_dim))

    def forward(self, shared: torch.Tensor, task_values: torch.Tensor | None, active: Sequence[bool]) -> torch.Tensor:
        """Compute the attention of each active task.

        Args:
            shared: `(positions, channels)`: the positions of all examples.
            task_values: `(active tasks, positions, channels)`; None after the first backbone.
            active: Whether each task's attention is needed.

        Returns:
            `(active tasks, positions, channels)`, from 0 to 1.
        """
        inputs = shared.expand(sum(active), -1, -1)
        if task_values is not None:
            inputs = torch.cat([inputs, task_values], dim=2)
        hidden_weight, hidden_bias, weight, bias = (
            select_active(parameter, active)
            for parameter in (self.hidden_weight, self.hidden_bias, self.weight, self.bias)
        )
        hidden = torch.baddbmm(hidden_bias.unsqueeze(1), inputs, hidden_weight).relu()
        return torch.baddbmm(bias.unsqueeze(1), hidden, weight).sigmoid()


class AttentionNetwork(Architecture):
    """One input layer, a stack of shared backbones, and the attention modules of each task after each of them.

    Args:
        parts: Builds the input layer and the backbones.
        tasks: The names of the tasks.
        layers: Number of backbones.
        hidden_dim: Channels between the two layers of an attention module; None for those of the backbone.

    Raises:
        MtlError: If the backbone cannot be stacked.
    """

    def __init__(self, parts: NetworkParts, tasks: Sequence[str], layers: int, hidden_dim: int | None) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        input_shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        self.backbones = build_stack(parts, input_shape, layers, "mtan", "Choose `layers: 1`")
        shapes: list[FeatureShape] = [backbone.output for backbone in self.backbones]  # type: ignore[misc]
        task_widths = [0, *(shape.width for shape in shapes[:-1])]
        self.attention = nn.ModuleList(
            [
                AttentionModules(len(tasks), shape.width, task_width, hidden_dim or shape.width)
                for shape, task_width in zip(shapes, task_widths, strict=True)
            ]
        )
        self.output = shapes[-1]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run the shared backbones once, and mask their features for every active task."""
        task_features, _ = self.compute_masked_features(inputs, active)
        return task_features

    def compute_masked_features(self, inputs: Any, active: Sequence[bool]) -> tuple[TaskFeatures, list[torch.Tensor]]:
        """Compute the features of each active task, and the attention after each backbone.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            active: Whether each task's features are needed.

        Returns:
            The features; per backbone, the attention `(active tasks, examples * positions, channels)`, from 0 to 1.
        """
        shared, attentions = self.input_layer(inputs), []
        task_features: TaskFeatures | None = None
        for backbone, modules in zip(self.backbones, self.attention, strict=True):
            shared = validate_features(backbone(shared), backbone.output)  # type: ignore[arg-type]
            positions = _flatten_positions(shared.values.unsqueeze(0))
            task_values = _flatten_positions(_resize(task_features, shared)) if task_features is not None else None
            attention = modules(positions[0], task_values, active)
            attentions.append(attention)
            masked = _restore_positions(attention * positions, shared.values.shape)
            task_features = TaskFeatures(masked, active, shared.mask)
        assert task_features is not None  # noqa: S101  there is at least one backbone
        return task_features, attentions

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the attention modules."""
        return list(self.attention.parameters())


def _resize(task_features: TaskFeatures, shared: Features) -> torch.Tensor:
    """Return values with the positions of the shared features; their mean where several become one."""
    values, shape = task_features.values, shared.values.shape
    if values.ndim != shared.values.ndim + 1:  # the backbone turned a sequence or an image into one vector
        return task_features.mean_pool()
    if values.ndim == 5 and values.shape[3:] != shape[2:]:
        pooled = F.adaptive_avg_pool2d(values.flatten(0, 1), (shape[2], shape[3]))
        return pooled.view(*values.shape[:3], *shape[2:])
    return values


def _flatten_positions(values: torch.Tensor) -> torch.Tensor:
    """Return `(tasks, examples * positions, channels)` from the values of features per task."""
    return (values.movedim(2, -1) if values.ndim == 5 else values).flatten(1, -2)


def _restore_positions(positions: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Return values per task, `(tasks, *shape)`, from `(tasks, examples * positions, channels)`."""
    if len(shape) != 4:
        return positions.reshape(len(positions), *shape)
    batch, channels, height, width = shape
    return positions.reshape(len(positions), batch, height, width, channels).movedim(-1, 2)


def _sample_uniform(shape: tuple[int, ...], width: int) -> torch.Tensor:
    """Sample initial weights from the distribution that `nn.Linear` uses."""
    return torch.empty(shape).uniform_(-1 / math.sqrt(width), 1 / math.sqrt(width))
