"""The modules of the multi-gate mixture of experts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core import Features, FeatureShape
from mtl_core.nn import Architecture, NetworkParts, build_task_keys, validate_features


class Gate(nn.Module):
    """The weights of a linear layer, initialized to zero, so that all experts have equal initial weights."""

    def __init__(self, width: int, experts: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(experts, width))
        self.bias = nn.Parameter(torch.zeros(experts))


class MixtureOfExperts(Architecture):
    """One input layer, shared backbones, and one gate per task.

    Args:
        parts: Builds the input layer and the backbones.
        tasks: The tasks' names.
        experts: Number of backbones.
    """

    def __init__(self, parts: NetworkParts, tasks: Sequence[str], experts: int) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        self.experts = nn.ModuleList([parts.backbone(shape) for _ in range(experts)])
        self.gates = nn.ModuleDict({key: Gate(shape.width, experts) for key in build_task_keys(tasks)})
        self.output = self.experts[0].output  # type: ignore[assignment]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run all experts once, and mix their features for every active task."""
        features = self.input_layer(inputs)
        expert_outputs = [validate_features(expert(features), self.output) for expert in self.experts]
        values = torch.stack([one.values for one in expert_outputs], dim=1)
        mixed = iter(torch.einsum("tbe,be...->tb...", self.compute_gate_weights(features, active), values))
        return [Features(next(mixed), expert_outputs[0].mask) if is_active else None for is_active in active]

    def compute_gate_weights(self, features: Features, active: Sequence[bool]) -> torch.Tensor:
        """Compute the weight of each expert.

        Args:
            features: The features of the input layer.
            active: Whether each task's weights are needed.

        Returns:
            `(active tasks, batch, experts)`; the last dimension sums to 1.
        """
        gates = [gate for gate, is_active in zip(self.gates.values(), active, strict=True) if is_active]
        weights = torch.cat([gate.weight for gate in gates])  # type: ignore[misc]
        biases = torch.cat([gate.bias for gate in gates])  # type: ignore[misc]
        scores = F.linear(features.mean_pool(), weights, biases).view(-1, len(gates), len(self.experts))
        return scores.softmax(dim=2).transpose(0, 1)

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the parameters of the task's gate."""
        return list(list(self.gates.values())[task].parameters())
