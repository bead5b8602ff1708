"""The modules of DSelect-k."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtl_architectures.smooth_step import compute_selection, smooth_step
from mtl_architectures.stacked_gates import apply_task_layers, mix_experts, select_active
from mtl_core import Features, FeatureShape
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, validate_features

EPSILON = 1e-6
"""Added to probabilities before their logarithm."""


class SparseGates(nn.Module):
    """The gates of all tasks, each with `k` selectors of one expert.

    Args:
        tasks: Number of tasks.
        experts: Number of experts.
        k: Number of selectors per task.
        width: Number of features that gates read; None for one selection per task.
        gamma: Width of the smooth step.
    """

    def __init__(self, tasks: int, experts: int, k: int, width: int | None, gamma: float) -> None:
        super().__init__()
        self.experts, self.k, self.gamma = experts, k, gamma
        self.n_digits = max(1, math.ceil(math.log2(experts)))
        n_numbers = k * (self.n_digits + 1)
        limit = gamma / 100  # close to 0, where all experts have about equal weights, but no two selectors are equal
        self.bias = nn.Parameter(torch.empty(tasks, n_numbers).uniform_(-limit, limit))
        """`(tasks, k * (digits + 1))`: the digits of each selector, then the weights of the selectors."""
        self.weight: nn.Parameter | None = None
        if width is not None:
            self.weight = nn.Parameter(torch.empty(tasks, n_numbers, width).uniform_(-limit, limit))

    def forward(self, inputs: torch.Tensor | None, active: Sequence[bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the weights of the experts.

        Args:
            inputs: `(batch, width)` for gates that read features, else None.
            active: Whether each task's weights are needed.

        Returns:
            The weights of the experts, `(active tasks, batch, experts)`, with a batch of 1 for one selection per
            task; they sum to 1. The selectors, `(active tasks, batch, k, experts)`.
        """
        bias = select_active(self.bias, active)
        if self.weight is None or inputs is None:
            numbers = bias.unsqueeze(1)
        else:
            numbers = apply_task_layers(inputs, select_active(self.weight, active), bias)
        digits = numbers[..., : self.k * self.n_digits].reshape(*numbers.shape[:2], self.k, self.n_digits)
        selectors = compute_selection(smooth_step(digits, self.gamma), self.experts)
        selector_weights = numbers[..., self.k * self.n_digits :].softmax(dim=-1)
        return torch.einsum("tbk,tbke->tbe", selector_weights, selectors), selectors


def compute_entropy(selectors: torch.Tensor) -> torch.Tensor:
    """Return the entropy of selectors `(tasks, batch, k, experts)`: the mean over the batch, summed over the others."""
    entropy = -(selectors * (selectors + EPSILON).log()).sum(dim=-1)
    return entropy.mean(dim=1).sum()


class SelectedExperts(Architecture):
    """One input layer, shared backbones, and one sparse gate per task.

    Args:
        parts: Builds the input layer and the backbones.
        tasks: The names of the tasks.
        experts: Number of backbones.
        k: Number of experts that a task selects at most.
        per_example: Whether gates read the features of an example.
        entropy: Factor of the entropy in the regularization loss.
        gamma: Width of the smooth step.
    """

    def __init__(
        self,
        parts: NetworkParts,
        tasks: Sequence[str],
        experts: int,
        k: int,
        per_example: bool,
        entropy: float,
        gamma: float,
    ) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        self.experts = nn.ModuleList([parts.backbone(shape) for _ in range(experts)])
        self.gates = SparseGates(len(tasks), experts, k, shape.width if per_example else None, gamma)
        self.output = self.experts[0].output  # type: ignore[assignment]
        self._entropy = entropy
        self._per_example = per_example
        # The entropy of the last batch by its active tasks: a batch with masked inputs has several passes.
        self._batch_entropies: dict[tuple[bool, ...], torch.Tensor] = {}

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run all experts once, and mix the selected ones for every active task."""
        features = self.input_layer(inputs)
        expert_outputs = [validate_features(expert(features), self.output) for expert in self.experts]
        weights, selectors = self.gates(features.mean_pool() if self._per_example else None, active)
        if self._per_example and self.training and torch.is_grad_enabled() and self._entropy:
            self._batch_entropies[tuple(active)] = compute_entropy(selectors)
        values = torch.stack([one.values for one in expert_outputs], dim=1)
        return TaskFeatures(mix_experts(weights, values), active, expert_outputs[0].mask)

    def compute_gate_weights(self, features: Features) -> torch.Tensor:
        """Return the weight of each expert, `(tasks, batch, experts)`; with a batch of 1 for one selection per task."""
        inputs = features.mean_pool() if self._per_example else None
        weights: torch.Tensor = self.gates(inputs, [True] * len(self.gates.bias))[0]
        return weights

    def regularization_loss(self) -> torch.Tensor | None:
        """Return the entropy of all selectors; for gates that read features, that of the last training batch."""
        if not self._entropy:
            return None
        if not self._per_example:
            return self._entropy * compute_entropy(self.gates(None, [True] * len(self.gates.bias))[1])
        entropies = list(self._batch_entropies.values())
        self._batch_entropies.clear()
        return self._entropy * torch.stack(entropies).sum() if entropies else None

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the gates."""
        return list(self.gates.parameters())
