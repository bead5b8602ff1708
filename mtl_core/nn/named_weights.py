"""Weights of a network under names that are comparable across networks."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.nn.heads import SeparateHeads
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.nn.task_keys import build_task_keys

Weights = dict[str, torch.Tensor]


def collect_named_weights(network: MultiTaskNetwork, tasks: Sequence[Sequence[str]]) -> Weights:
    """Return views of all weights: `trunk.…` for the trunk, `heads.TASK.…` for the head of a task.

    Weights that the tasks of a head group share appear under each of its tasks. Weights of the trunk that are stacked
    by task appear as one weight per task, `trunk.….task-TASK`.

    Args:
        network: The network.
        tasks: The task names of each head group, in the order of the network's groups.
    """
    keys = build_task_keys(name for names in tasks for name in names)
    stacked_in_trunk = {parameter.data_ptr() for parameter in network.trunk.stacked_parameters()}
    weights: Weights = {}
    for name, value in _collect_tensors(network.trunk).items():
        if value.data_ptr() in stacked_in_trunk:
            weights |= {f"trunk.{name}.{key}": row for key, row in zip(keys, value, strict=True)}
        else:
            weights[f"trunk.{name}"] = value
    for group, names in zip(network.head_groups(), tasks, strict=True):
        if isinstance(group, SeparateHeads):
            for name, head in zip(names, group.heads.values(), strict=True):
                weights |= {f"heads.{name}.{key}": value for key, value in _collect_tensors(head).items()}
            continue
        stacked = {id(parameter) for parameter in group.stacked_parameters()}
        owner = {id(p): task_index for task_index in range(len(names)) for p in group.task_parameters(task_index)}
        for task_index, name in enumerate(names):
            for key, value in (*group.named_parameters(), *group.named_buffers()):
                if owner.get(id(value), task_index) == task_index:
                    weights[f"heads.{name}.{key}"] = value.data[task_index] if id(value) in stacked else value.data
    return weights


def _collect_tensors(module: nn.Module) -> Weights:
    return {name: value.data for name, value in (*module.named_parameters(), *module.named_buffers())}
