"""A finished run, loaded to be used again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mtl_core.atomic import write_atomically
from mtl_core.config.experiment import DerivedTasks, ExperimentConfig
from mtl_core.data.encoder import Encoder
from mtl_core.data.tasks import resolve_tasks
from mtl_core.errors import MtlError
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.prepare import build_network
from mtl_core.seeding import isolated_torch_randomness
from mtl_core.training.groups import LearnedTask, TaskGroup, group_tasks


@dataclass(frozen=True)
class SavedRun:
    """A network with its weights, and what is needed to ask it something."""

    config: ExperimentConfig
    encoder: Encoder[Any, Any]
    groups: Sequence[TaskGroup]
    network: MultiTaskNetwork

    @property
    def columns(self) -> list[str]:
        """The label columns that the run knows."""
        return list(dict.fromkeys(task.declared.column for group in self.groups for task in group.tasks))

    @property
    def derives_tasks(self) -> bool:
        """Whether the experiment takes every label column as a task, so that a new one is a surprise."""
        return any(isinstance(entry, DerivedTasks) for entry in self.config.tasks)


def save_model(
    run: RunDirectory, network: MultiTaskNetwork, encoder: Encoder[Any, Any], tasks: Sequence[LearnedTask]
) -> None:
    """Save weights, label spaces and the fitted encoder.

    Raises:
        MtlError: If the disk is full.
    """
    state = [
        {
            "name": task.name,
            "column": task.declared.column,
            "space": task.space.state(),
            "counts": dict(task.counts),
        }
        for task in tasks
    ]
    run.write_state({"tasks": state, "encoder": encoder.state()})
    tensors = {key: value.detach().contiguous().clone() for key, value in network.state_dict().items()}
    write_atomically(run.weights, lambda path: save_file(tensors, path))


def load_run(path: Path | str, plugins: Sequence[str] = ()) -> SavedRun:
    """Build a saved run's network again from its config, its state and its weights.

    Args:
        path: The run directory.
        plugins: Further plugins to load.

    Raises:
        MtlError: If a file is missing or damaged, or does not belong to the others.
    """
    run = RunDirectory.open(Path(path))
    run.require(run.weights)
    state = run.read_state()
    config = run.experiment(plugins).config
    encoder = config.encoder.build()
    try:
        tasks = _restore_tasks(config, state["tasks"])
        encoder.restore(state["encoder"])
    except (KeyError, TypeError, ValueError) as error:
        raise MtlError(f"{run.state}: damaged: {type(error).__name__}: {error}") from error
    groups = group_tasks(tasks)
    with isolated_torch_randomness():
        network = build_network(config, encoder, groups)
    try:
        network.load_state_dict(load_file(run.weights))
    except (SafetensorError, OSError) as error:
        raise MtlError(f"{run.weights}: damaged: {error}") from error
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise MtlError(f"{run.weights}: these weights do not fit the run's config: {first[0].strip()}") from error
    network.eval()
    return SavedRun(config, encoder, groups, network)


def _restore_tasks(config: ExperimentConfig, saved: Sequence[dict[str, Any]]) -> list[LearnedTask]:
    columns = list(dict.fromkeys(task["column"] for task in saved))
    declared = {task.name: task for task in resolve_tasks(config.tasks, columns)}
    tasks = []
    for task in saved:
        if task["name"] not in declared:
            raise MtlError(f"the run's state has a task '{task['name']}' that its config does not declare")
        kind = declared[task["name"]].kind
        space = kind.restore_space(task["space"])
        built = kind.build(space, task["counts"])
        tasks.append(LearnedTask(declared[task["name"]], space, task["counts"], built))
    return tasks


def device_of(network: torch.nn.Module) -> torch.device:
    """Where a network lives."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
