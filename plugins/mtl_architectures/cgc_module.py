"""The modules of customized gate control and progressive layered extraction."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtl_architectures.backbone_bank import BackboneBank, build_backbone_bank
from mtl_architectures.stacked_gates import StackedGates, mix_experts
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, validate_features


class ExtractionLevel(nn.Module):
    """Shared experts, experts of each task, and the gates that mix them.

    Args:
        parts: Builds the experts.
        inputs: The shape of the features that experts and gates read.
        tasks: The names of the tasks.
        shared_experts: Number of experts of all tasks.
        task_experts: Number of experts per task.
        is_last: Whether no further level follows; otherwise a further gate mixes the experts of all tasks for the
            shared experts of the next level.
    """

    def __init__(
        self,
        parts: NetworkParts,
        inputs: FeatureShape,
        tasks: Sequence[str],
        shared_experts: int,
        task_experts: int,
        is_last: bool,
    ) -> None:
        super().__init__()
        self.shared_experts = nn.ModuleList([parts.backbone(inputs) for _ in range(shared_experts)])
        self.task_experts: BackboneBank | None = None
        if task_experts:
            self.task_experts = build_backbone_bank(lambda: parts.backbone(inputs), tasks, task_experts)
        self.task_gates = StackedGates(len(tasks), inputs.width, shared_experts + task_experts)
        self.shared_gate: StackedGates | None = None
        if not is_last:
            self.shared_gate = StackedGates(1, inputs.width, shared_experts + len(tasks) * task_experts)
        self.output: FeatureShape = self.shared_experts[0].output  # type: ignore[assignment]

    def forward(
        self, shared: Features, task_features: TaskFeatures | None, active: Sequence[bool]
    ) -> tuple[Features | None, TaskFeatures]:
        """Mix the experts for each active task, and for the next level.

        Args:
            shared: The features that the shared experts read.
            task_features: The features that the experts and gates of each active task read; None for `shared`.
            active: Whether each task's features are needed.

        Returns:
            The features for the shared experts of the next level, None at the last level; the features of each task.
        """
        outputs = [validate_features(expert(shared), self.output) for expert in self.shared_experts]
        mask, values = outputs[0].mask, torch.stack([one.values for one in outputs], dim=1)
        gate_inputs = task_features if task_features is not None else shared
        weights = self.task_gates(gate_inputs.mean_pool(), active)
        n_shared = len(self.shared_experts)
        mixed = mix_experts(weights[..., :n_shared], values)
        task_values = None
        if self.task_experts is not None:
            task_values = self.task_experts(gate_inputs, active)
            mixed = mixed + torch.einsum("abe,aeb...->ab...", weights[..., n_shared:], task_values)
        if self.shared_gate is None:
            return None, TaskFeatures(mixed, active, mask)
        [shared_weights] = self.shared_gate(shared.mean_pool(), [True])
        next_shared = torch.einsum("be,be...->b...", shared_weights[:, :n_shared], values)
        if task_values is not None:
            all_experts = task_values.flatten(0, 1)
            next_shared = next_shared + torch.einsum("be,eb...->b...", shared_weights[:, n_shared:], all_experts)
        return Features(next_shared, mask), TaskFeatures(mixed, active, mask)


class ProgressiveLayeredExtraction(Architecture):
    """One input layer, and levels of shared and task-specific experts.

    Args:
        parts: Builds the input layer and the experts.
        tasks: The names of the tasks.
        levels: Number of levels; 1 is customized gate control.
        shared_experts: Number of experts of all tasks per level.
        task_experts: Number of experts per task and level.
        name: The `type` of the architecture, for messages.

    Raises:
        MtlError: If the backbone cannot be stacked.
    """

    def __init__(
        self,
        parts: NetworkParts,
        tasks: Sequence[str],
        levels: int,
        shared_experts: int,
        task_experts: int,
        name: str = "ple",
    ) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        self.levels = nn.ModuleList()
        for index in range(levels):
            try:
                level = ExtractionLevel(parts, shape, tasks, shared_experts, task_experts, index == levels - 1)
            except MtlError as error:
                if not index:
                    raise
                raise MtlError(
                    f"architecture '{name}': the experts of level {index + 1} do not accept the features of those of "
                    f"level {index} ({error}). Choose `levels: 1`, or a backbone that can be stacked"
                ) from error
            self.levels.append(level)
            shape = level.output
        self.output = shape

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run the experts of all levels, and mix them for each active task.

        All tasks read the experts of every task before the last level, so only that level skips inactive tasks.
        """
        shared: Features | None = self.input_layer(inputs)
        task_features: TaskFeatures | None = None
        for level in self._levels():
            assert shared is not None  # noqa: S101  only the last level returns None
            is_needed = active if level.task_experts is None or level.shared_gate is None else [True] * len(active)
            if task_features is not None and task_features.active != list(is_needed):
                task_features = TaskFeatures.stack(
                    [one if needed else None for one, needed in zip(task_features, is_needed, strict=True)]
                )
            shared, task_features = level(shared, task_features, is_needed)
        assert task_features is not None  # noqa: S101  there is at least one level
        return task_features

    def _levels(self) -> list[ExtractionLevel]:
        return [level for level in self.levels if isinstance(level, ExtractionLevel)]

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the gates and experts that only one task reads.

        The experts of a task before the last level feed the shared experts of the next one, so all tasks read them,
        and what they are computed from.
        """
        levels = self._levels()
        last_experts = levels[-1].task_experts
        own_gates = levels if last_experts is None else levels[-2:]
        parameters = [parameter for level in own_gates for parameter in level.task_gates.parameters()]
        return parameters + (last_experts.stacked_parameters() if last_experts is not None else [])

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        """Return the task's experts of the last level, if the experts of different tasks are separate modules."""
        last_experts = self._levels()[-1].task_experts
        return last_experts.task_parameters(task) if last_experts is not None else []
