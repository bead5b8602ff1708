"""Checkpoints: one safetensors file from which a run resumes bit by bit. Nothing is pickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtl_core.artifacts.history import EpochRecord
from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError

Tensors = dict[str, torch.Tensor]


@dataclass
class TrainingState:
    """The progress of a training.

    Attributes:
        epoch: The current epoch, counted from 0.
        batch: Number of completed batches of the current epoch.
        step: Number of completed steps of the run.
        history: The records of the completed epochs.
        best_epoch: The best completed epoch, counted from 1; 0 before the end of the first.
        best_score: The score of the best epoch.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float | None = None


def save_checkpoint(
    path: Path,
    training_state: TrainingState,
    modules: Mapping[str, torch.nn.Module],
    optimizer: torch.optim.Optimizer,
    extra: Tensors,
) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file.
        training_state: The progress of the training.
        modules: Mapping of name to module; the state dicts are saved.
        optimizer: The optimizer whose state is saved.
        extra: Additional tensors, such as the state of the random generator and the best weights.

    Raises:
        MtlError: If the file cannot be written.
    """
    tensors: Tensors = {f"extra.{name}": tensor for name, tensor in extra.items()}
    for name, module in modules.items():  # copies: safetensors rejects tensors that share memory
        tensors |= {f"{name}.{key}": value.clone() for key, value in module.state_dict().items()}
    scalars: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            elif value is not None:
                scalars[f"{index}.{key}"] = value
    metadata = {"position": json.dumps(asdict(training_state)), "optimizer": json.dumps(scalars)}
    contiguous_tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(contiguous_tensors, temporary, metadata))


def load_checkpoint(
    path: Path, modules: Mapping[str, torch.nn.Module], optimizer: torch.optim.Optimizer
) -> tuple[TrainingState, Tensors]:
    """Load a checkpoint into modules and optimizer.

    Returns:
        The progress of the training, and the additional tensors.

    Raises:
        MtlError: If the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        training_state = json.loads(metadata["position"])
        for name, module in modules.items():
            module.load_state_dict(select_prefix(tensors, f"{name}."))
        _load_optimizer(optimizer, select_prefix(tensors, "optimizer."), json.loads(metadata["optimizer"]))
    except (SafetensorError, OSError, KeyError, RuntimeError, ValueError) as error:
        raise MtlError(f"{path}: this checkpoint cannot be resumed from: {error}") from error
    training_state["history"] = [EpochRecord(**record) for record in training_state["history"]]
    return TrainingState(**training_state), select_prefix(tensors, "extra.")


def select_prefix(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names start with a prefix, without the prefix."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, scalars: Mapping[str, Any]) -> None:
    state_dict = optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **scalars}.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**state_dict, "state": state})
