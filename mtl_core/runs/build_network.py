"""Build the network of a run."""

from collections.abc import Sequence
from typing import Any

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.encoder import Encoder
from mtl_core.data.task_groups import TaskGroup
from mtl_core.nn.architecture import NetworkParts, build_architecture, build_backbone
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.memory import describe_memory_errors
from mtl_core.seeding import derive_seed


def build_network(
    config: ExperimentConfig, encoder: Encoder[Any, Any], groups: Sequence[TaskGroup]
) -> MultiTaskNetwork:
    """Build a network with initial weights from the seed of the run.

    With task-specific features, the initial weights of a task depend only on the seed and the task name, not on the
    other tasks.

    Raises:
        MtlError: If the network does not fit into the memory.
    """
    with describe_memory_errors("the network", "reduce the sizes of encoder, backbone and heads"):
        return _build(config, encoder, groups)


def _build(config: ExperimentConfig, encoder: Encoder[Any, Any], groups: Sequence[TaskGroup]) -> MultiTaskNetwork:
    torch.manual_seed(derive_seed(config.seed, "init"))
    names = [task.name for group in groups for task in group.tasks]
    parts = NetworkParts(encoder.input_layer, lambda shape: build_backbone(config.backbone, shape))
    trunk = build_architecture(config.architecture, parts, names)
    seed_task = (
        (lambda name: torch.manual_seed(derive_seed(config.seed, "init", name)))
        if config.architecture.task_specific_features
        else None
    )
    heads = [group.build_heads(trunk.output, seed_task) for group in groups]
    return MultiTaskNetwork(trunk, heads, [len(group.tasks) for group in groups])
