"""The module of the multi-gate mixture of experts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtl_architectures.stacked_gates import StackedGates, mix_experts
from mtl_core import Features, FeatureShape
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, validate_features


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
        self.gates = StackedGates(len(tasks), shape.width, experts)
        self.output = self.experts[0].output  # type: ignore[assignment]

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run all experts once, and mix their features for every active task."""
        features = self.input_layer(inputs)
        expert_outputs = [validate_features(expert(features), self.output) for expert in self.experts]
        values = torch.stack([one.values for one in expert_outputs], dim=1)
        mixed = mix_experts(self.gates(features.mean_pool(), active), values)
        return TaskFeatures(mixed, active, expert_outputs[0].mask)

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the gates."""
        return list(self.gates.parameters())
