"""Weights of a network under names that are comparable across networks."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.model.heads import SeparateHeads
from mtl_core.model.network import MultiTaskNetwork

Weights = dict[str, torch.Tensor]


def weights_by_name(network: MultiTaskNetwork, tasks: Sequence[Sequence[str]]) -> Weights:
    """Return views of all weights: `body.…` for the trunk, `heads.TASK.…` for the head of a task.

    Weights that the tasks of a head group share appear under each of its tasks.

    Args:
        network: The network.
        tasks: The task names of each head group, in the order of the network's groups.
    """
    weights = {f"body.{name}": value for name, value in _tensors(network.body).items()}
    for group, names in zip(network.head_groups(), tasks, strict=True):
        if isinstance(group, SeparateHeads):
            for name, head in zip(names, group.heads.values(), strict=True):
                weights |= {f"heads.{name}.{key}": value for key, value in _tensors(head).items()}
            continue
        stacked = {id(parameter) for parameter in group.stacked_parameters()}
        own = {id(p): place for place in range(len(names)) for p in group.task_parameters(place)}
        for place, name in enumerate(names):
            for key, value in (*group.named_parameters(), *group.named_buffers()):
                if own.get(id(value), place) == place:
                    weights[f"heads.{name}.{key}"] = value.data[place] if id(value) in stacked else value.data
    return weights


def _tensors(module: nn.Module) -> Weights:
    return {name: value.data for name, value in (*module.named_parameters(), *module.named_buffers())}
