"""Build the independent networks of a run."""

from dataclasses import replace

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import Examples
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks


def get_group(data: FittedData) -> TaskGroup:
    """Return the head group of the networks' tasks.

    Raises:
        MtlError: If the tasks have different kinds, heads, or numbers of outputs.
    """
    if len(data.groups) != 1:
        raise MtlError(f"expected tasks with equal kinds, heads and outputs, found {len(data.groups)} groups of them")
    return data.groups[0]


def select_group(data: FittedData, index: int) -> FittedData:
    """Return fitted data with the tasks of one head group only."""
    group, examples = data.groups[index], data.examples
    selected = Examples(
        examples.encoder, examples.items, examples.lengths, [examples.targets[index]], [examples.weights[index]]
    )
    others = [task for task in data.tasks if task not in group.tasks]
    inactive_tasks = [*data.inactive_tasks, *others]
    return replace(data, tasks=group.tasks, groups=[group], examples=selected, inactive_tasks=inactive_tasks)


def build_single_network(config: ExperimentConfig, data: FittedData, task: int = 0) -> MultiTaskNetwork:
    """Build the network of one task with the initial weights of its separate run.

    Args:
        config: The experiment.
        data: The fitted data of all networks.
        task: The index of the task in its group.
    """
    return build_network(config, data.encoder, group_tasks([get_group(data).tasks[task]]))


def build_stacked_networks(config: ExperimentConfig, data: FittedData, device: torch.device) -> StackedNetworks:
    """Build one network per task. Their initial weights are equal, since they depend on the seed only.

    Args:
        config: The experiment.
        data: The fitted data of all networks.
        device: The device of the networks.

    Raises:
        MtlError: If such networks cannot be stacked.
    """
    return StackedNetworks(build_single_network(config, data).to(device), len(get_group(data).tasks))
